//! What is written for people: links lead somewhere, and what is told in two languages is the same.

#[cfg(test)]
mod documents {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;
    use std::path::PathBuf;

    /// Where nothing is ours.
    const OTHERS: [&str; 3] = [".git", "node_modules", "target"];

    /// A document, line by line.
    struct Document {
        path: PathBuf,
        text: String,
    }

    /// What stands under one heading.
    #[derive(Debug, Default)]
    struct Section {
        /// By what a link finds it: what is said to be its name, else its heading.
        anchor: String,
        /// What is quoted as it is written somewhere: settings, metrics, lines of the log. Sorted, as each
        /// language has an order of its own.
        quoted: Vec<String>,
        /// Lines of blocks of code, without what is said beside them.
        code: Vec<String>,
    }

    impl Document {
        fn read(path: &str) -> Self {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
            let text = fs::read_to_string(&path);
            let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            Self { path, text }
        }

        /// Every document there is.
        fn all() -> Vec<Self> {
            let mut found = Vec::new();
            find(Path::new(env!("CARGO_MANIFEST_DIR")), &mut found);
            found
        }

        /// Its lines, each with whether it is code.
        fn lines(&self) -> impl Iterator<Item = (&str, bool)> {
            let mut is_code = false;
            self.text.lines().filter_map(move |line| {
                if line.trim_start().starts_with("```") {
                    is_code = !is_code;
                    return None;
                }
                Some((line, is_code))
            })
        }

        /// What it is made of; first, what stands before the first heading of a part.
        fn sections(&self) -> Vec<Section> {
            let mut sections = vec![Section::default()];
            let mut named = None;
            let mut prose = String::new();
            for (line, is_code) in self.lines() {
                if let Some(heading) = line.strip_prefix("## ").filter(|_| !is_code) {
                    end(&mut sections, &mut prose);
                    sections.push(Section {
                        anchor: named.take().unwrap_or_else(|| anchor(heading)),
                        ..Section::default()
                    });
                } else if let Some(name) = name(line) {
                    named = Some(name.to_owned());
                } else if is_code {
                    let said = line.split("  #").next().unwrap_or_default();
                    let section = sections.last_mut().expect("a section");
                    section.code.push(said.trim_end().to_owned());
                } else {
                    prose.push_str(line.trim());
                    prose.push('\n');
                }
            }
            end(&mut sections, &mut prose);
            sections
        }

        /// All by which a link can find a place in it.
        fn anchors(&self) -> Vec<String> {
            let mut seen = BTreeMap::new();
            let prose = self.lines().filter(|(_, is_code)| !is_code);
            let mut anchors = Vec::new();
            for (line, _) in prose {
                anchors.extend(name(line).map(str::to_owned));
                let heading = line.trim_start_matches('#');
                if heading.len() < line.len() && heading.starts_with(' ') {
                    let anchor = anchor(heading.trim());
                    let before = seen.entry(anchor.clone()).or_insert(0);
                    anchors.push(match *before {
                        0 => anchor,
                        times => format!("{anchor}-{times}"),
                    });
                    *before += 1;
                }
            }
            anchors
        }

        /// Where its links lead that lead to a file.
        fn links(&self) -> Vec<String> {
            let prose = self.lines().filter(|(_, is_code)| !is_code);
            let prose: Vec<_> = prose.map(|(line, _)| line).collect();
            let prose = prose.join("\n");
            let links = prose.split("](").skip(1);
            let links = links.filter_map(|rest| rest.split(')').next());
            let is_ours = |link: &&str| !link.contains("://") && !link.starts_with("mailto:");
            links.filter(is_ours).map(str::to_owned).collect()
        }
    }

    fn find(folder: &Path, found: &mut Vec<Document>) {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            if OTHERS.iter().any(|other| name == *other) {
                continue;
            }
            if path.is_dir() {
                find(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                let text = fs::read_to_string(&path).expect("a text");
                found.push(Document { path, text });
            }
        }
    }

    /// What is quoted in the prose of the section that ends here.
    fn end(sections: &mut [Section], prose: &mut String) {
        let quoted = prose.split('`').skip(1).step_by(2);
        // A quotation may go on in the next line.
        let quoted = quoted.map(|text| text.replace('\n', " "));
        let mut quoted: Vec<_> = quoted.collect();
        quoted.sort();
        sections.last_mut().expect("a section").quoted = quoted;
        prose.clear();
    }

    /// The name that a line gives to the heading below it.
    fn name(line: &str) -> Option<&str> {
        line.strip_prefix("<a id=\"")?.strip_suffix("\"></a>")
    }

    /// What a heading is found by, as those who show Markdown reckon it.
    fn anchor(heading: &str) -> String {
        let kept = |letter: &char| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter);
        let heading = heading.to_lowercase().replace('`', "");
        let kept: String = heading.chars().filter(kept).collect();
        kept.replace(' ', "-")
    }

    #[test]
    fn every_link_leads_somewhere() {
        let mut lost = Vec::new();
        let mut links = 0;
        for document in Document::all() {
            for link in document.links() {
                let (path, place) = link.split_once('#').unwrap_or((&link, ""));
                let folder = document.path.parent().expect("a folder");
                let path = match path {
                    "" => document.path.clone(),
                    path => folder.join(path),
                };
                let is_found = path.exists()
                    && (place.is_empty()
                        || Document::read(path.to_str().expect("UTF-8"))
                            .anchors()
                            .contains(&place.to_owned()));
                if !is_found {
                    lost.push(format!("{}: {link}", document.path.display()));
                }
                links += 1;
            }
        }

        assert_eq!(lost, Vec::<String>::new());
        assert!(links > 50, "{links}");
    }

    #[test]
    fn the_runbook_tells_the_same_in_both_languages() {
        let english = Document::read("docs/runbook.md").sections();
        let chinese = Document::read("docs/zh-CN/runbook.md").sections();

        let anchors = |sections: &[Section]| -> Vec<_> {
            sections.iter().map(|s| s.anchor.clone()).collect()
        };
        assert_eq!(anchors(&english), anchors(&chinese));
        assert!(english.len() > 20, "{}", english.len());
        for (english, chinese) in english.iter().zip(&chinese) {
            assert_eq!(english.quoted, chinese.quoted, "{}", english.anchor);
            assert_eq!(english.code, chinese.code, "{}", english.anchor);
        }
    }
}
