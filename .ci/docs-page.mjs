// Opens /docs as a person would, gives it the key, and tries a meeting. Fails if anything is asked of
// anybody but the service, or if the page does what its policy forbids.
//
//     node docs-page.mjs ORIGIN KEY FOLDER    (screenshots go into the folder)

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const [origin, key, folder] = process.argv.slice(2);
const { chromium } = createRequire(`${folder}/`)("playwright-core");

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});

try {
  const page = await browser.newPage({ viewport: { width: 1200, height: 1000 } });
  const asked = [];
  const complaints = [];
  page.on("request", (request) => asked.push(request.url()));
  page.on("pageerror", (error) => complaints.push(`thrown: ${error}`));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (violation) => {
      console.error(`forbidden: ${violation.violatedDirective} ${violation.blockedURI}`);
    });
  });

  await page.goto(`${origin}/docs`);
  const operation = page.locator("#operations-meetings-get_meeting_by_code");
  await operation.waitFor();
  await page.screenshot({ path: `${folder}/docs.png` });

  await page.locator(".auth-wrapper .authorize").first().click();
  await page.locator(".modal-ux input").fill(key);
  await page.locator(".modal-ux .authorize").click();
  await page.locator(".modal-ux .btn-done").click();

  await operation.locator(".opblock-summary-control").click();
  await operation.locator("tr[data-param-name=meeting_code] input").fill("446 153 273");
  await operation.locator(".execute").click();
  const answer = operation.locator(".live-responses-table .response").first();
  await answer.waitFor();
  const status = await answer.locator(".response-col_status").innerText();
  const body = await answer.locator(".response-col_description").innerText();
  await operation.locator(".live-responses-table").scrollIntoViewIfNeeded();
  await page.screenshot({ path: `${folder}/docs-tried.png` });

  const tried = asked.filter((url) => url.includes("/meetings/"));
  assert.deepEqual(tried, [`${origin}/meetings/by-code/446%20153%20273`]);
  assert.match(status, /^200/);
  assert.match(body, /"meeting_code": "446153273"/);
  assert.match(body, /cache-status: wecom-meeting-proxy; /);
  const elsewhere = asked.filter((url) => !url.startsWith(`${origin}/`) && !url.startsWith("data:"));
  assert.deepEqual(elsewhere, []);
  assert.deepEqual(complaints, []);
  console.log(`${asked.length} requests, all of ours; a meeting was tried: ${status.trim()}`);
} finally {
  await browser.close();
}
