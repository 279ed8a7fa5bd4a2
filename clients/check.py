"""Asks a service for a meeting, for one that is not there, and for one that is known already, with a
client that nobody wrote.

    check.py BASE_URL KEY
"""

import sys

from generated_client import ApiClient, Configuration, MeetingsApi
from generated_client.exceptions import ApiException, NotFoundException

MEETING = "mtfDesignReview-0000000000000004"

base, key = sys.argv[1:]
meetings = MeetingsApi(ApiClient(Configuration(host=base, access_token=key)))

answer = meetings.get_meeting_with_http_info(MEETING)
found = answer.data
assert (answer.status_code, found.meeting_id) == (200, MEETING), answer
assert found.status == "in_progress" and found.start_time < found.end_time, found
assert found.settings.enter_mute == "off" and found.attendees[0].kind == "member", found
same = meetings.get_meeting_by_code("446 153 273")
assert same.title == found.title, same
print("200:", len(found.attendees), "of", found.start_time)

try:
    meetings.get_meeting("nobody-called-this")
    sys.exit("a problem was expected")
except NotFoundException as error:
    problem = error.data
    assert (problem.code, problem.wecom_errcode) == ("meeting_not_found", 90602), problem
    print("404:", problem.detail)

try:
    meetings.get_meeting(MEETING, if_none_match=answer.headers["etag"])
    sys.exit("304 was expected")
except ApiException as error:
    assert (error.status, error.data) == (304, None), error
    print("304:", error.headers["cache-status"])
