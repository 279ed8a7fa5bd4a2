// Asks a service for a meeting, for one that is not there, and for one that is known already, with a
// client that nobody wrote.
//
//     node check.js BASE_URL KEY

import assert from "node:assert/strict";
import { Configuration, MeetingsApi, ProblemCodeEnum, ResponseError } from "./generated";

const MEETING = "mtfDesignReview-0000000000000004";

const [basePath, accessToken] = process.argv.slice(2);
const meetings = new MeetingsApi(new Configuration({ basePath, accessToken }));

/** The answer that is no meeting. */
async function refused(asked: Promise<unknown>): Promise<Response> {
  return asked.then(
    () => assert.fail("no meeting was expected"),
    (error: unknown) => {
      if (error instanceof ResponseError) return error.response;
      throw error;
    },
  );
}

async function main(): Promise<void> {
  const answer = await meetings.getMeetingRaw({ meetingId: MEETING });
  const found = await answer.value();
  assert.equal(found.meetingId, MEETING);
  assert.equal(found.status, "in_progress");
  assert.ok(found.startTime instanceof Date && found.endTime! > found.startTime);
  assert.equal(found.settings?.enterMute, "off");
  assert.equal(found.attendees[0]?.kind, "member");
  const same = await meetings.getMeetingByCode({ meetingCode: "446 153 273" });
  assert.equal(same.title, found.title);
  console.log("200:", found.attendees.length, "of", found.startTime);

  const absent = await refused(meetings.getMeeting({ meetingId: "nobody-called-this" }));
  assert.equal(absent.status, 404);
  const problem = await absent.json();
  assert.equal(problem.code, ProblemCodeEnum.MeetingNotFound);
  console.log("404:", problem.detail);

  const etag = answer.raw.headers.get("etag")!;
  const known = await refused(meetings.getMeeting({ meetingId: MEETING, ifNoneMatch: etag }));
  assert.equal(known.status, 304);
  console.log("304:", known.headers.get("cache-status"));
}

await main();
