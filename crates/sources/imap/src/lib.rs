//! IMAP and SMTP as a source
