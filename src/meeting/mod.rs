//! A meeting in **our** shape, and the words for it.
//!
//! Serialised, a [`Meeting`] is the body of our answers, key for key, and what is said about its
//! fields here is what callers read in the API's description. It derives `Serialize` only: how it is
//! made from what WeCom sends is the business of `wecom::wire`. What a caller may see of it is cut in
//! [`view`]. This room does no I/O and knows neither HTTP nor the cache.

mod moment;
mod name;
pub mod view;
mod word;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

pub use moment::Moment;
pub use name::InvalidMeetingCode;
pub use name::InvalidMeetingId;
pub use name::MeetingCode;
pub use name::MeetingId;
pub use name::Selector;

/// One meeting, or one occurrence of a recurring one. Every key is always there; `null` and `[]` are
/// what WeCom did not send.
///
/// A word stands beside the number that WeCom sent for it (`…_code`); times are UTC.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Meeting {
    /// WeCom's name of it. Not known where it was asked for by its number and WeCom does not say.
    pub meeting_id: Option<String>,
    /// The number that people dial.
    pub meeting_code: Option<String>,
    /// The occurrence that was asked for.
    pub sub_meeting_id: Option<MeetingId>,
    /// What it is called.
    pub title: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// Where it is held.
    pub location: Option<String>,
    /// Who called it.
    pub organizer: Option<Organizer>,
    /// How far it has come.
    pub status: Option<Status>,
    /// WeCom's `status`.
    pub status_code: Option<i64>,
    /// What kind of meeting it is.
    pub r#type: Option<Type>,
    /// WeCom's `meeting_type`.
    pub type_code: Option<i64>,
    /// When it begins.
    pub start_time: Option<Moment>,
    /// When it ends: the beginning and the duration.
    pub end_time: Option<Moment>,
    /// How long it lasts, in seconds.
    pub duration_seconds: Option<i64>,
    /// Where one joins it.
    pub join_url: Option<String>,
    /// The calendar entry that belongs to it.
    pub calendar_id: Option<String>,
    /// Whether there is a vote in it.
    pub has_vote: Option<bool>,
    /// Who was invited or came: members first, then people from outside, then devices.
    pub attendees: Vec<Attendee>,
    /// Who was invited by telephone number.
    pub guests: Vec<Guest>,
    /// How it is set up.
    pub settings: Option<Settings>,
    /// Who is reminded, and when.
    pub reminders: Option<Reminders>,
    /// How it repeats, if it does.
    pub recurrence: Option<Recurrence>,
    /// Its occurrences, where it repeats.
    pub occurrences: Option<Occurrences>,
    /// The rules of a series that was changed midway.
    pub recurrence_segments: Vec<RecurrenceSegment>,
    /// What is withheld from this caller, whether or not this meeting has it.
    #[schema(value_type = Vec<view::Path>)]
    pub redacted: Vec<&'static str>,
    /// What WeCom sent and no key above names, under its dotted path in WeCom's words. Withheld
    /// unless it is revealed.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub extra: Option<BTreeMap<String, Value>>,
}

/// Who called a meeting.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Organizer {
    /// The member's user id.
    pub user_id: Option<String>,
    /// The department the member belongs to.
    pub department_id: Option<i64>,
}

/// Somebody, or a device, that was invited or came.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Attendee {
    /// Which of WeCom's lists it stood in.
    pub kind: AttendeeKind,
    /// A user id, a temporary id of somebody from outside, or a serial number.
    pub id: Option<String>,
    /// Whether they came.
    pub attendance: Option<Attendance>,
    /// WeCom's `status` of them.
    pub attendance_code: Option<i64>,
    /// When they first came.
    pub first_join_time: Option<Moment>,
    /// When they last left.
    pub last_leave_time: Option<Moment>,
    /// How many times they came.
    pub join_count: Option<i64>,
    /// How long they stayed in all, in seconds.
    pub total_seconds: Option<i64>,
}

/// Somebody invited by telephone number.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Guest {
    /// What they are called.
    pub name: Option<String>,
    /// The country's dialling code, without a plus.
    pub country_code: Option<String>,
    /// Their number. Withheld unless phones are revealed.
    pub phone_number: Option<String>,
}

/// How a meeting is set up. The lists hold user ids.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Settings {
    /// Whether one needs a password to come in.
    pub need_password: Option<bool>,
    /// That password. Withheld unless secrets are revealed.
    pub password: Option<String>,
    /// Whether one waits to be let in.
    pub enable_waiting_room: Option<bool>,
    /// Whether one may come in before the host.
    pub allow_enter_before_host: Option<bool>,
    /// Whether one is muted on coming in.
    pub enter_mute: Option<EnterMute>,
    /// WeCom's `enable_enter_mute`.
    pub enter_mute_code: Option<i64>,
    /// WeCom's `enable_enter_mute_type`, which no document explains.
    pub enter_mute_type_code: Option<i64>,
    /// Whether one may unmute oneself.
    pub allow_unmute_self: Option<bool>,
    /// Whether people from outside may come in.
    pub allow_external_user: Option<bool>,
    /// Whether the screen carries a watermark.
    pub enable_screen_watermark: Option<bool>,
    /// How that watermark looks.
    pub watermark: Option<Watermark>,
    /// WeCom's `watermark_type`.
    pub watermark_code: Option<i64>,
    /// Whether, and where, it is recorded by itself.
    pub auto_record: Option<AutoRecord>,
    /// Whether recording begins when somebody comes.
    pub attendee_join_auto_record: Option<bool>,
    /// Whether the host may pause that recording.
    pub enable_host_pause_auto_record: Option<bool>,
    /// Whether members may upload documents.
    pub enable_doc_upload_permission: Option<bool>,
    /// Whether one must enrol.
    pub enable_enroll: Option<bool>,
    /// Whether a key makes one the host.
    pub enable_host_key: Option<bool>,
    /// That key. Withheld unless secrets are revealed.
    pub host_key: Option<String>,
    /// The hosts.
    pub hosts: Vec<String>,
    /// The hosts at this moment.
    pub current_hosts: Vec<String>,
    /// Their deputies.
    pub co_hosts: Vec<String>,
    /// Who is rung up when it begins.
    pub ring_users: Vec<String>,
}

/// Who is reminded of a meeting, and when.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Reminders {
    /// Who is rung up.
    pub scope: Option<ReminderScope>,
    /// WeCom's `remind_scope`.
    pub scope_code: Option<i64>,
    /// How long before the beginning, in seconds.
    pub before_start_seconds: Vec<i64>,
}

/// How a meeting repeats.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Recurrence {
    /// What it repeats by.
    pub frequency: Option<Frequency>,
    /// WeCom's `repeat_type`.
    pub frequency_code: Option<i64>,
    /// Whether the rule was made by hand.
    pub custom: Option<bool>,
    /// Every how many days, weeks or months.
    pub interval: Option<i64>,
    /// Days of the week, 1 (Monday) to 7.
    pub days_of_week: Vec<i64>,
    /// Days of the month, 1 to 31.
    pub days_of_month: Vec<i64>,
    /// What ends it.
    pub until_type: Option<UntilType>,
    /// WeCom's `repeat_until_type`.
    pub until_type_code: Option<i64>,
    /// After how many occurrences it ends.
    pub until_count: Option<i64>,
    /// When it ends.
    pub until_time: Option<Moment>,
}

/// One stretch of a series, with the rule that holds in it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct RecurrenceSegment {
    /// WeCom's `repeat_id`, which an occurrence names as its `segment_id`.
    pub id: Option<String>,
    /// The rule.
    #[serde(flatten)]
    pub recurrence: Recurrence,
}

/// The occurrences of a recurring meeting, as far as WeCom lists them.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Occurrences {
    /// The one under way, or the next.
    pub current_id: Option<String>,
    /// How many are left.
    pub remaining: Option<i64>,
    /// Whether there are more than those in `items`.
    pub has_more: Option<bool>,
    /// Those that WeCom lists.
    pub items: Vec<Occurrence>,
}

/// One occurrence of a recurring meeting.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Occurrence {
    /// The name under which it can be asked for.
    pub id: Option<String>,
    /// Whether it stands.
    pub status: Option<OccurrenceStatus>,
    /// WeCom's `status` of it.
    pub status_code: Option<i64>,
    /// When it begins.
    pub start_time: Option<Moment>,
    /// When it ends.
    pub end_time: Option<Moment>,
    /// What it is called.
    pub title: Option<String>,
    /// The stretch of the series it belongs to.
    pub segment_id: Option<String>,
}

/// Declares an enum of our words for WeCom's numbers, with the one step from number to word.
macro_rules! words_for_codes {
    ($(#[$about:meta])* $name:ident { $($(#[$variant_about:meta])* $code:literal => $variant:ident,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_about])* $variant,)*
            /// A number that no document explains.
            Unknown,
        }

        impl $name {
            /// Our word for WeCom's number. `None` is something else than a number.
            pub fn from_code(code: Option<i64>) -> Self {
                match code {
                    $(Some($code) => Self::$variant,)*
                    _ => Self::Unknown,
                }
            }
        }
    };
}

words_for_codes! {
    /// How far a meeting has come. WeCom's `status`.
    Status {
        /// It is to come.
        1 => NotStarted,
        /// It is being held.
        2 => InProgress,
        /// It was held.
        3 => Ended,
        /// It was called off.
        4 => Cancelled,
        /// Its time passed and nobody came.
        5 => Expired,
    }
}

words_for_codes! {
    /// What kind of meeting it is. WeCom's `meeting_type`, which has a gap at 4.
    Type {
        /// Held once.
        0 => OneTime,
        /// Held again and again.
        1 => Recurring,
        /// For people on WeChat.
        2 => Wechat,
        /// A screen shown in a Rooms device.
        3 => RoomsScreencast,
        /// Behind somebody's personal number, which stands for many meetings over time.
        5 => PersonalRoom,
        /// A webinar.
        6 => Webinar,
    }
}

words_for_codes! {
    /// Whether somebody came. WeCom's `attendees.….status`.
    Attendance {
        /// They came.
        1 => Joined,
        /// They did not.
        2 => NotJoined,
    }
}

words_for_codes! {
    /// Whether one is muted on coming in. WeCom's `enable_enter_mute`.
    EnterMute {
        /// One is not.
        0 => Off,
        /// One is.
        1 => On,
        /// One is, from the seventh on.
        #[serde(rename = "on_above_6")]
        2 => OnAbove6,
    }
}

words_for_codes! {
    /// How a watermark looks. WeCom's `watermark_type`.
    Watermark {
        /// One row.
        0 => SingleRow,
        /// Many rows.
        1 => MultiRow,
    }
}

words_for_codes! {
    /// Who is rung up when a meeting begins. WeCom's `remind_scope`.
    ReminderScope {
        /// Nobody.
        1 => None,
        /// The host.
        2 => Host,
        /// Everybody.
        3 => All,
        /// Those in `ring_users`.
        4 => Selected,
    }
}

words_for_codes! {
    /// What a meeting repeats by. WeCom's `repeat_type`.
    Frequency {
        /// Days.
        0 => Daily,
        /// Weeks.
        1 => Weekly,
        /// Months.
        2 => Monthly,
        /// Working days.
        7 => Workdays,
    }
}

words_for_codes! {
    /// What ends a series. WeCom's `repeat_until_type`.
    UntilType {
        /// A date.
        0 => Date,
        /// A number of occurrences.
        1 => Count,
    }
}

words_for_codes! {
    /// Whether an occurrence stands. WeCom's `sub_meetings.status`.
    OccurrenceStatus {
        /// It stands.
        0 => Scheduled,
        /// It was taken out.
        1 => Deleted,
    }
}

/// Which of WeCom's lists somebody stood in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttendeeKind {
    /// A device in a room.
    Device,
    /// Somebody from outside the enterprise.
    External,
    /// A member of the enterprise.
    Member,
}

/// Whether, and where, a meeting is recorded by itself. WeCom's `auto_record_type`, a word.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AutoRecord {
    /// At WeCom.
    Cloud,
    /// On the host's machine.
    Local,
    /// Nowhere.
    None,
    /// A word that no document explains.
    Unknown,
}
