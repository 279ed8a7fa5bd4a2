//! The other name of a meeting: what was found by one may be kept under both.
//!
//! | found by | WeCom tells | the other name is taken | because |
//! |---|---|---|---|
//! | number | the id | yes | an id stands for one meeting for ever |
//! | id | the number | if the meeting is held once and is not over | until then the number is its own |
//! | id | the number | never else | a series shares one number, a personal room's stands for many meetings over time, and a number is handed on when a meeting is over |
//! | either | | never, for a personal room | both names say who, not which meeting |
//!
//! One of the two is a number: under the other name it is believed no longer than what was found by it
//! (`by_code_max`).

use crate::meeting::Meeting;
use crate::meeting::Selector;
use crate::meeting::Status;
use crate::meeting::Type;

/// The other name under which `meeting`, found by `selector`, may be kept as well.
pub(super) fn other_name(selector: &Selector, meeting: &Meeting) -> Option<Selector> {
    if meeting.r#type == Some(Type::PersonalRoom) {
        return None;
    }
    match selector {
        // `None` where WeCom does not tell: it is not filled in from the question.
        Selector::Code(_) => meeting.meeting_id.as_ref()?.parse().ok().map(Selector::Id),
        Selector::Id(_) if keeps_its_number(meeting) => meeting
            .meeting_code
            .as_ref()?
            .parse()
            .ok()
            .map(Selector::Code),
        Selector::Id(_) => None,
    }
}

fn keeps_its_number(meeting: &Meeting) -> bool {
    let is_held_once = meeting.r#type == Some(Type::OneTime) && meeting.recurrence.is_none();
    let is_to_come_or_held = matches!(
        meeting.status,
        Some(Status::NotStarted | Status::InProgress)
    );
    is_held_once && is_to_come_or_held
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> Selector {
        Selector::Id("m1".parse().expect("an id"))
    }

    fn code() -> Selector {
        Selector::Code("446153273".parse().expect("a code"))
    }

    fn meeting(r#type: Type, status: Status) -> Meeting {
        Meeting {
            meeting_id: Some("m1".to_owned()),
            meeting_code: Some("446-153-273".to_owned()),
            r#type: Some(r#type),
            status: Some(status),
            ..Meeting::default()
        }
    }

    #[test]
    fn what_was_found_by_number_is_kept_under_the_id_that_wecom_tells() {
        for r#type in [Type::OneTime, Type::Recurring, Type::Webinar] {
            let found = meeting(r#type, Status::Ended);
            assert_eq!(other_name(&code(), &found), Some(id()), "{type:?}");
        }
        let untold = Meeting {
            meeting_id: None,
            ..meeting(Type::OneTime, Status::NotStarted)
        };
        assert_eq!(other_name(&code(), &untold), None);
    }

    #[test]
    fn what_was_found_by_id_is_kept_under_a_number_that_is_its_own() {
        for (r#type, status, kept) in [
            (Type::OneTime, Status::NotStarted, true),
            (Type::OneTime, Status::InProgress, true),
            (Type::OneTime, Status::Ended, false),
            (Type::OneTime, Status::Cancelled, false),
            (Type::OneTime, Status::Expired, false),
            (Type::OneTime, Status::Unknown, false),
            (Type::Recurring, Status::NotStarted, false),
            (Type::Unknown, Status::NotStarted, false),
        ] {
            let alias = other_name(&id(), &meeting(r#type, status));
            assert_eq!(alias, kept.then(code), "{type:?} {status:?}");
        }
    }

    #[test]
    fn a_personal_room_has_one_name_at_a_time() {
        let room = meeting(Type::PersonalRoom, Status::NotStarted);
        assert_eq!(other_name(&id(), &room), None);
        assert_eq!(other_name(&code(), &room), None);
    }
}
