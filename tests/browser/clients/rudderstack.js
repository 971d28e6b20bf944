// @rudderstack/analytics-js as a site's own build has it, with its plugins inside: the other builds fetch them from
// RudderStack's servers. The tests call it in the page.
import { RudderAnalytics } from '@rudderstack/analytics-js/bundled';
import './story.js';

window.RudderAnalytics = RudderAnalytics;
window.load = (dataPlaneUrl, options) => {
  window.analytics = new RudderAnalytics();
  window.analytics.load('demo', dataPlaneUrl, options);
};
