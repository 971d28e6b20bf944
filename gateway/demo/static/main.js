// The demo site's own behaviour: it starts what each page needs. Tracking itself is the SDK's.

import { startConsent } from "./consent.js";
import { startCustomer } from "./customer.js";
import { startForms } from "./forms.js";
import { startPanel } from "./panel.js";

startConsent();
startForms();
startCustomer();
startPanel();
