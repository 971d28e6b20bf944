"""The browser SDK as it is served: `tuttu.js`, built from sdk-js by `make sdk`."""
