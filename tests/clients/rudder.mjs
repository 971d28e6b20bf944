// node rudder.mjs ENDPOINT KEY USER story|COUNT
import Analytics from '@rudderstack/rudder-sdk-node';
import { calls, endpoint, writeKey } from './story.mjs';

// It measures its whole queue anew at every call, so a long queue costs seconds: send in slices.
const SLICE = 250;

const client = new Analytics(writeKey, {
  dataPlaneUrl: endpoint,
  flushAt: SLICE,
  retryCount: 2,
  errorHandler: (error) => {
    console.error(error);
    process.exit(1);
  },
});
const all = calls();
while (all.length > 0) {
  // Its flush() resolves before the first event, sent alone at once, is answered: wait for every call's own callback.
  const answers = all.splice(0, SLICE).map(([method, message]) => new Promise((done) => client[method](message, done)));
  await client.flush();
  await Promise.all(answers);
}
process.exit(0); // its flush timer would keep the process for another ten seconds
