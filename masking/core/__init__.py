"""The heart: rules, findings, placeholders, sessions, streams, descriptors. No IO, no clock, no logging."""
