// What a dashboard may say, in the types that Grafana publishes of it (@grafana/schema): `.ci/rules` puts
// deploy/grafana/dashboard.json behind the last line, and has it checked. A key that Grafana does not know is an error, as is
// an option that its panels do not have.
import type * as grafana from '@grafana/schema';
import type { Dashboard, FieldConfig, Panel } from '@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

/** A type as it is written in JSON: the words of an enum are words, and what is not there is `null`. */
type Written<T> = T extends string ? `${T}` : T extends object ? { [Key in keyof T]: Written<T[Key]> } : T;

/** A query of Prometheus. */
interface Query {
  refId: string;
  datasource: { type: 'prometheus'; uid: '${datasource}' };
  editorMode: 'code';
  expr: string;
  legendFormat: string;
  instant: boolean;
  range: boolean;
}

/** A panel of one kind. Each says what it shows, in which unit, and what that means. */
type Shown<Type extends string, Options, Custom> = Omit<Panel, 'type' | 'title' | 'description' | 'fieldConfig' | 'options' | 'targets'> & {
  type: Type;
  title: string;
  description: string;
  targets: Query[];
  options: Options;
  fieldConfig: {
    defaults: Omit<FieldConfig, 'unit' | 'custom' | 'thresholds'> & {
      unit: string;
      custom?: Custom;
      // The lowest step has no value.
      thresholds?: { mode: 'absolute'; steps: { value: number | null; color: string }[] };
    };
    overrides: { matcher: { id: 'byName'; options: string }; properties: { id: string; value: unknown }[] }[];
  };
};

interface Row {
  type: 'row';
  id: number;
  title: string;
  collapsed: false;
  gridPos: grafana.GridPos;
  panels: [];
}

/** The alerts, as marks on every panel: what Prometheus makes an annotation of. */
interface Mark {
  name: string;
  datasource: grafana.DataSourceRef;
  enable: boolean;
  hide: boolean;
  iconColor: string;
  expr: string;
  titleFormat: string;
  textFormat: string;
  step: string;
}

type Checked = Written<
  Omit<Dashboard, 'panels' | 'annotations'> & {
    annotations: { list: Mark[] };
    panels: (
      | Row
      | Shown<'stat', stat.Options, never>
      | Shown<'timeseries', timeseries.Options, timeseries.FieldConfig>
    )[];
  }
>;

export const dashboard: Checked =
