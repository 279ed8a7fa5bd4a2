// Shows the API that this page belongs to, and asks nobody else for anything: the validator and the
// other sites that Swagger UI knows are left out. A key that is typed in stays in this page.
"use strict";

// The document as this page is to show it. An example beside a field is put into it: that is good for
// what is needed; what is not would be sent without anybody wanting it, so there it is told instead. The
// licence would become a link that leads elsewhere.
const toShow = (document) => {
  delete document.info?.license?.identifier;
  const operations = Object.values(document.paths ?? {}).flatMap((path) => Object.values(path));
  for (const parameter of operations.flatMap((operation) => operation.parameters ?? [])) {
    if (!parameter.required && "example" in parameter) {
      parameter.description += ` For example: \`${parameter.example}\``;
      delete parameter.example;
    }
  }
  return document;
};

const fitForThisPage = () => ({
  statePlugins: {
    spec: {
      wrapActions: {
        updateJsonSpec: (update) => (document) => update(toShow(document)),
      },
    },
  },
});

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  persistAuthorization: false,
  plugins: [fitForThisPage],
  queryConfigEnabled: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});
