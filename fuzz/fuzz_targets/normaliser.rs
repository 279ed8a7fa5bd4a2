//! See `Target::Normaliser` in `src/fuzzing` of the service.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wecom_meeting_proxy::fuzzing::Target;

fuzz_target!(|data: &[u8]| Target::Normaliser.hold(data));
