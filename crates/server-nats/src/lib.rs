//! Pokes between server processes over NATS.
