// node segment.mjs ENDPOINT KEY USER story|COUNT
import { Analytics } from '@segment/analytics-node';
import { calls, endpoint, writeKey } from './story.mjs';

const client = new Analytics({ host: endpoint, writeKey, maxRetries: 2, flushAt: 2000 });
client.on('error', (error) => {
  console.error(error);
  process.exitCode = 1;
});
for (const [method, message] of calls()) client[method](message);
await client.closeAndFlush();
