//! A real SMTP server: aiosmtpd (Debian's `python3-aiosmtpd`), which keeps
//! what it is sent.

use meantime_kit::{Process, free_port, greets};
use sha2::{Digest, Sha256};
use std::fs;
use std::process::Command;
use tempfile::TempDir;

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Not at all; nobody signs in.
    Plain,
    /// STARTTLS is required, then signing in.
    Starttls,
}

/// A running server. Recipients named `nobody@…` are refused; after a mail to
/// `vanish@…` it takes the mail and hangs up without an answer.
#[derive(Debug)]
pub struct SmtpServer {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    /// SHA-256 of its certificate, 64 hexadecimal digits.
    pub fingerprint: String,
    folder: TempDir,
    _process: Process,
}

impl SmtpServer {
    /// Starts a server; `user` and `password` are what it lets in where
    /// signing in is asked for.
    pub fn start(protection: Protection, user: &str, password: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("meantime-smtp-").tempdir().expect("a temporary folder");
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        fs::write(folder.path().join("cert.pem"), made.cert.pem()).expect("the certificate");
        fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).expect("its key");
        fs::create_dir(folder.path().join("mail")).expect("a folder");
        for _ in 0..5 {
            let port = free_port().expect("a free port");
            let mut command = Command::new("/usr/bin/python3");
            command
                .args(["-c", SERVER])
                .env("SMTP_FOLDER", folder.path())
                .env("SMTP_PORT", port.to_string())
                .env("SMTP_TLS", if protection == Protection::Starttls { "1" } else { "" })
                .env("SMTP_USER", user)
                .env("SMTP_PASSWORD", password);
            let out = folder.path().join("out");
            let mut process = Process::start_in(command, &out, &out, Some(folder.path())).expect("Python");
            if greets(port, || !matches!(process.ended(), Ok(None))) {
                let fingerprint = Sha256::digest(made.cert.der()).iter().map(|byte| format!("{byte:02x}")).collect();
                return Self { port, fingerprint, folder, _process: process };
            }
        }
        panic!("aiosmtpd does not start: {}", fs::read_to_string(folder.path().join("out")).unwrap_or_default());
    }

    /// The mails it took, in order.
    pub fn received(&self) -> Vec<String> {
        let mut files: Vec<_> = fs::read_dir(self.folder.path().join("mail"))
            .expect("the mails")
            .flatten()
            .map(|file| file.path())
            .collect();
        files.sort();
        files.iter().map(|file| String::from_utf8_lossy(&fs::read(file).expect("a mail")).into_owned()).collect()
    }
}

const SERVER: &str = r#"
import asyncio, os, ssl
from aiosmtpd.smtp import SMTP, AuthResult
folder, port = os.environ["SMTP_FOLDER"], int(os.environ["SMTP_PORT"])
tls = bool(os.environ["SMTP_TLS"])
login = (os.environ["SMTP_USER"].encode(), os.environ["SMTP_PASSWORD"].encode())
count = 0

class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        global count
        count += 1
        head = "X-Envelope-To: " + ", ".join(envelope.rcpt_tos) + "\r\n"
        with open(f"{folder}/mail/{count:06}.part", "wb") as out:
            out.write(head.encode() + envelope.content)
        os.rename(f"{folder}/mail/{count:06}.part", f"{folder}/mail/{count:06}")
        if any(to.startswith("vanish@") for to in envelope.rcpt_tos):
            server.transport.abort()
        return "250 OK"

def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == login)

def context():
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
    return made

def serve():
    if not tls:
        return SMTP(Handler(), hostname="localhost")
    return SMTP(Handler(), hostname="localhost", tls_context=context(), require_starttls=True,
                auth_required=True, authenticator=authenticate)

async def main():
    server = await asyncio.get_running_loop().create_server(serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()

asyncio.run(main())
"#;
