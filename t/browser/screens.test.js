// What a person sees at the sizes of a phone and a desk: nothing sticks out,
// and the pictures are in build/browser/ to be looked at.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { bubble, DESK, open, openStage, PHONE, say, writing } from './stage.js';

const FOLDER = fileURLToPath(new URL('../../build/browser/', import.meta.url));

let stage;

before(async () => {
  await mkdir(FOLDER, { recursive: true });
  stage = await openStage();
});
after(() => stage.finish());

// A screenshot stops animations by a style of its own, which our policy would
// refuse.
async function picture(page, name) {
  const { width, wide } = await page.evaluate(() => ({ width: innerWidth, wide: document.documentElement.scrollWidth }));

  assert.ok(wide <= width, `${name}: ${wide} of ${width} pixels`);
  await page.screenshot({ path: `${FOLDER}${name}.png`, animations: 'disabled' });
}

for (const colorScheme of ['light', 'dark']) {
  for (const [size, viewport] of Object.entries({ desk: DESK, phone: PHONE })) {
    test(`${size}, ${colorScheme}`, async () => {
      const customer = await stage.customer('customer1', { colorScheme, viewport, bypassCSP: true });
      const agent = await stage.agent('agent1', { colorScheme, viewport, bypassCSP: true });
      const name = (what) => `${what}-${size}-${colorScheme}`;

      await picture(agent, name('console-list'));
      await say(customer, 'Does the Ember come with a longer cable? https://example.com/ember');
      await open(agent, 'Customer One');
      await bubble(agent, 'longer cable').waitFor();
      await say(agent, 'Good morning! Yes: there is one of two metres, and one of five.');
      await say(agent, 'Which one do you need?');
      await bubble(customer, 'Which one').waitFor();
      await writing(customer).pressSequentially('The long one, pl');
      await agent.getByText('Customer One is writing …').waitFor();
      await picture(agent, name('console-chat'));
      await picture(customer, name('widget'));
      await writing(customer).press('Enter');
      await customer.getByRole('button', { name: 'Conversations' }).click();
      await picture(customer, name('widget-list'));
      await customer.context().close();
      await agent.context().close();
    });
  }
}
