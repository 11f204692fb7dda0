"""From events to incidents, from incidents to messages, from messages to channels."""
