"""The store: visitors' profiles, message marks and the log buffer, kept in Redis or Valkey."""
