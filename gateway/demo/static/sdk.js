// The SDK as the page's script element loads it. The site goes on without it.

/** Call an action of the SDK; resolves to its answer, or to undefined when the SDK could not be loaded. */
export async function tell(action, ...values) {
  try {
    const { tuttu } = await import("/tuttu.js");
    return await tuttu[action](...values);
  } catch (problem) {
    console.warn("havainto: no SDK", problem);
    return undefined;
  }
}
