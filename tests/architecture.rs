//! The table of floors: which room stands on which. A new edge is a change to this table, so that it
//! is seen in review.

#[cfg(test)]
mod floors {
    use std::collections::BTreeMap;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    /// Each room, from the ground up, and the rooms it uses. None may be above it, or beside it.
    const FLOORS: [(&str, &[&str]); 25] = [
        // Ground floor: words and numbers. No room but, at most, another of words.
        ("clock", &[]),
        ("descriptors", &[]),
        ("dice", &["clock"]),
        ("digest", &[]),
        ("freshness", &[]),
        ("meeting", &["digest"]),
        ("metrics", &[]),
        ("pages", &[]),
        ("places", &[]),
        ("repeat", &[]),
        ("setting", &[]),
        ("supervisor", &[]),
        ("logging", &["clock", "setting"]),
        ("pace", &["clock"]),
        ("tls", &["clock"]),
        ("telemetry", &["clock", "repeat", "setting", "tls"]),
        // Mechanism and protocol, which do not know each other.
        ("cache", &["clock", "freshness", "metrics"]),
        (
            "wecom",
            &[
                "clock",
                "dice",
                "meeting",
                "metrics",
                "pace",
                "places",
                "repeat",
                "setting",
                "telemetry",
                "tls",
            ],
        ),
        // The only room that knows both.
        (
            "service",
            &[
                "cache",
                "clock",
                "dice",
                "freshness",
                "meeting",
                "metrics",
                "setting",
                "telemetry",
                "wecom",
            ],
        ),
        // The doors.
        ("healthcheck", &["tls"]),
        (
            "http",
            &[
                "clock",
                "digest",
                "logging",
                "meeting",
                "metrics",
                "pace",
                "repeat",
                "service",
                "setting",
                "telemetry",
                "tls",
                "wecom",
            ],
        ),
        // What stacks up and wires.
        (
            "config",
            &[
                "digest",
                "http",
                "logging",
                "service",
                "setting",
                "supervisor",
                "telemetry",
                "tls",
                "wecom",
            ],
        ),
        (
            "app",
            &[
                "clock",
                "config",
                "dice",
                "http",
                "logging",
                "metrics",
                "service",
                "setting",
                "supervisor",
                "telemetry",
                "tls",
                "wecom",
            ],
        ),
        // No room of the service: what fuzzers hold against the rooms.
        (
            "fuzzing",
            &["config", "http", "meeting", "service", "tls", "wecom"],
        ),
        // Likewise: what is measured of them.
        ("measuring", &["http", "meeting", "service", "wecom"]),
    ];

    /// Every file of a room, without its tests.
    fn code_of(folder: &Path) -> Vec<String> {
        let mut code = Vec::new();
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.file_stem().is_some_and(|name| name == "tests") {
                continue;
            }
            if path.is_dir() {
                code.extend(code_of(&path));
            } else {
                let text = fs::read_to_string(&path).expect("a file");
                let (text, _) = text
                    .split_once("#[cfg(test)]\nmod tests {")
                    .unwrap_or((&text, ""));
                code.push(text.to_owned());
            }
        }
        code
    }

    /// The rooms that some code names.
    fn rooms_in(code: &str) -> BTreeSet<String> {
        let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        let names = code
            .split("crate::")
            .skip(1)
            .map(|rest| rest.split(|letter| !is_name(letter)).next());
        names
            .flatten()
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn every_room_uses_the_rooms_that_the_table_names_and_no_others() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(&source).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                let name = path
                    .file_name()
                    .expect("a name")
                    .to_str()
                    .expect("text")
                    .to_owned();
                let mut used: BTreeSet<String> = code_of(&path)
                    .iter()
                    .flat_map(|code| rooms_in(code))
                    .collect();
                used.remove(&name);
                found.insert(name, used);
            }
        }

        let as_set = |rooms: &[&str]| rooms.iter().map(|&room| room.to_owned()).collect();
        let table: BTreeMap<String, BTreeSet<String>> = FLOORS
            .iter()
            .map(|&(room, uses)| (room.to_owned(), as_set(uses)))
            .collect();
        assert_eq!(found, table);
    }

    #[test]
    fn no_room_uses_one_above_it_or_beside_it() {
        for (floor, (room, uses)) in FLOORS.iter().enumerate() {
            for used in *uses {
                let below = FLOORS[..floor].iter().any(|(name, _)| name == used);
                assert!(below, "{room} uses {used}, which is not below it");
            }
        }
    }

    #[test]
    fn imports_name_one_room_a_line() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for code in code_of(&source) {
            let grouped = code
                .lines()
                .find(|line| line.starts_with("use ") && line.contains('{'));
            assert_eq!(grouped, None);
        }
    }
}
