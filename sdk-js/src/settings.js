// What the page says about this SDK, set once by createTuttu, and the console line for its developer.

export const settings = {};

/** The one global: what the snippet has queued until now, and the functions from now on. */
export const global = (window.tuttu ||= {});

let warned;

/** Tell the developer what is wrong, once a page: a page that is watched by nobody should not fill its console. */
export const warn = (problem) => {
  warned ||= console.warn("tuttu:", problem) || true;
};
