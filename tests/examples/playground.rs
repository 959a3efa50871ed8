//! tmp playground
use meantime_tests::post::Post;
use meantime_tests::*;
use std::io::Write;
fn main() {
    meantime_tests::world::in_a_world(async |world: &mut World| {
        let mut desk = Desk::start(world).await?;
        let server = Server::demo(&world.folder("server")?, &world.logs()).await?;
        let post = Post::start();
        let feed = FeedServer::start(&["First"]).await?;
        let mut f = std::fs::File::create("/tmp/play.env")?;
        for (k, v) in world.profile("ana") {
            writeln!(f, "export {k}='{}'", v.display())?;
        }
        writeln!(
            f,
            "export W={} FEED={} INVITE='{}' INVITE2='{}' IMAPS={} SMTP={} FP={} SFP={} PW='{}'",
            world.path().display(),
            feed.url(),
            server.invite()?,
            server.invite()?,
            post.imap.imaps_port,
            post.smtp.port,
            post.imap.fingerprint,
            post.smtp.fingerprint,
            post.imap.password
        )?;
        writeln!(f, "export MAILDIR={}", post.imap.maildir().display())?;
        println!("ready");
        while std::path::Path::new("/tmp/play.env").exists() {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            if let Ok(t) = std::fs::read_to_string("/tmp/play.feed") {
                let _ = std::fs::remove_file("/tmp/play.feed");
                match t.trim() {
                    "break" => feed.break_it(true),
                    "fix" => feed.break_it(false),
                    t => feed.publish(t),
                }
            }
            if std::fs::remove_file("/tmp/play.notes").is_ok() {
                println!("{:?}", desk.notes());
            }
            if std::fs::remove_file("/tmp/play.shot").is_ok() {
                desk.screen.screenshot(std::path::Path::new("/tmp/play.png"));
            }
        }
        Ok(())
    })
    .unwrap();
}
