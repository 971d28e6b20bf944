// What every client sends, so that the tests can expect the same of each: see story.py for the Python ones.

export const [endpoint, writeKey, userId, plan] = process.argv.slice(2);
const anonymousId = `anon-of-${userId}`;

// The calls of one visitor: the eight of the story, or a burst of that many tracks.
export function calls() {
  if (plan !== 'story') {
    return Array.from({ length: Number(plan) }, (_, n) => ['track', { userId, event: 'Burst', properties: { n } }]);
  }
  return [
    ['identify', { userId, anonymousId, traits: { email: 'zoë@example.com', plan: 'pro', age: 34 } }],
    ['page', { userId, category: 'marketing', name: 'Home', properties: { path: '/', url: 'https://shop.example.com/' } }],
    ['page', { userId, name: 'Pricing', properties: { path: '/hinnoittelu', url: 'https://shop.example.com/hinnoittelu' } }],
    ['page', { userId, name: 'Docs', properties: { path: '/docs', url: 'https://shop.example.com/docs' } }],
    ['track', { userId, event: 'Signed Up', properties: { plan: 'pro' } }],
    ['track', { userId, event: 'Order Completed', properties: { order_id: 'o-5001', revenue: 129.95, products: [{ sku: 'a' }] } }],
    ['group', { userId, groupId: 'g-42', traits: { name: 'Konepaja Oy', employees: 120 } }],
    ['alias', { previousId: anonymousId, userId }],
  ];
}
