// What the tests do with either library: their calls are the same. One page view, awaited by the test, comes first, so
// that a new visitor has the cookie before the rest leaves in parallel.
const user = 'u-1001';

window.story = {
  view: () => analytics.page('Pricing', { path: '/hinnoittelu' }),
  rest: () =>
    Promise.all([
      analytics.identify(user, { email: 'zoë@example.com', plan: 'pro' }),
      analytics.page('Pricing', { path: '/hinnoittelu/yritys' }),
      analytics.page('Reporting', { path: '/tuotteet/raportointi' }),
      analytics.track('Signed Up', { plan: 'pro' }),
      analytics.group('g-42', { name: 'Konepaja Oy' }),
    ]),
};

window.decide = async (gateway) => {
  const asked = { writeKey: 'demo', userId: user, placements: ['home hero'] };
  const answer = await fetch(`${gateway}/v1/decide`, { method: 'POST', body: JSON.stringify(asked) });
  return (await answer.json()).placements['home hero'];
};
