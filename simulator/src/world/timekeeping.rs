//! What in a meeting changes as time goes by. Knows WeCom's shape, and no clock.
//!
//! | now                         | a meeting      | a series                           |
//! |-----------------------------|----------------|------------------------------------|
//! | before the start            | 1, not started | 1, while an occurrence is to come  |
//! | from the start to the end   | 2, in progress | 2, while an occurrence is going on |
//! | from the end on             | 3, ended       | 3, after the last occurrence       |

use serde_json::Value;

const NOT_STARTED: u64 = 1;
const IN_PROGRESS: u64 = 2;
const ENDED: u64 = 3;

/// An occurrence as `sub_meetings` names it. Times are Unix seconds.
#[derive(Debug)]
pub(super) struct Occurrence<'a> {
    pub(super) id: &'a str,
    start: u64,
    end: u64,
    deleted: bool,
}

/// The occurrences that a series names; none of a meeting that is not one.
pub(super) fn occurrences(info: &Value) -> impl Iterator<Item = Occurrence<'_>> {
    let named = info.get("sub_meetings").and_then(Value::as_array);
    named.into_iter().flatten().filter_map(|named| {
        let id = named.get("sub_meetingid")?.as_str()?;
        Some(Occurrence {
            id,
            start: number(named, "start_time"),
            end: number(named, "end_time"),
            deleted: number(named, "status") == 1,
        })
    })
}

/// Sets the status, and of a series the current occurrence and how many are left.
pub(super) fn keep_series(info: &mut Value, now_s: u64) {
    if occurrences(info).next().is_none() {
        keep_single(info, now_s);
        return;
    }
    let left: Vec<_> = occurrences(info)
        .filter(|occurrence| !occurrence.deleted && now_s < occurrence.end)
        .collect();
    let remaining = left.len();
    let current = left.into_iter().min_by_key(|occurrence| occurrence.start);
    let status = current.as_ref().map_or(ENDED, |current| {
        status_of(current.start, current.end, now_s)
    });
    let current_id = current.map_or_else(String::new, |current| current.id.to_owned());
    set(info, "status", status.into());
    set(info, "remain_sub_meetings", remaining.into());
    set(info, "current_sub_meetingid", current_id.into());
}

/// Sets the status of a meeting, or of an occurrence told as if it were one.
pub(super) fn keep_single(info: &mut Value, now_s: u64) {
    let start = number(info, "meeting_start");
    let end = start.saturating_add(number(info, "meeting_duration"));
    set(info, "status", status_of(start, end, now_s).into());
}

fn status_of(start: u64, end: u64, now_s: u64) -> u64 {
    if now_s < start {
        NOT_STARTED
    } else if now_s < end {
        IN_PROGRESS
    } else {
        ENDED
    }
}

fn number(info: &Value, name: &str) -> u64 {
    let number = info.get(name).and_then(Value::as_u64);
    number.unwrap_or_default()
}

fn set(info: &mut Value, name: &str, value: Value) {
    if let Some(fields) = info.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_meeting_begins_at_its_start_and_is_over_at_its_end() {
        for (now_s, status) in [(99, 1), (100, 2), (159, 2), (160, 3)] {
            let mut info = json!({ "meeting_start": 100, "meeting_duration": 60 });

            keep_series(&mut info, now_s);

            assert_eq!(info["status"], status, "at {now_s} s");
        }
    }

    #[test]
    fn a_series_moves_on_to_the_next_occurrence_that_was_not_deleted() {
        for (now_s, status, current, remaining) in [
            (50, 1, "a", 2),
            (100, 2, "a", 2),
            (200, 1, "c", 1),
            (400, 2, "c", 1),
            (500, 3, "", 0),
        ] {
            let mut info = json!({ "meeting_start": 100, "meeting_duration": 100, "sub_meetings": [
                { "sub_meetingid": "a", "status": 0, "start_time": 100, "end_time": 200 },
                { "sub_meetingid": "b", "status": 1, "start_time": 250, "end_time": 300 },
                { "sub_meetingid": "c", "status": 0, "start_time": 400, "end_time": 500 },
            ]});

            keep_series(&mut info, now_s);

            assert_eq!(info["status"], status, "at {now_s} s");
            assert_eq!(info["current_sub_meetingid"], current, "at {now_s} s");
            assert_eq!(info["remain_sub_meetings"], remaining, "at {now_s} s");
        }
    }
}
