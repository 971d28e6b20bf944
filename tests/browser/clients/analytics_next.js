// @segment/analytics-next as a site's own build has it; the tests call it in the page.
import { AnalyticsBrowser } from '@segment/analytics-next';
import './story.js';

window.load = (settings, options) => {
  window.analytics = AnalyticsBrowser.load({ writeKey: 'demo', ...settings }, options);
};
