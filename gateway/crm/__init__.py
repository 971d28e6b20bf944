"""Import of CRM data: a CSV file in, events to the running gateway out."""
