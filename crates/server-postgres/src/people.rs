//! People, devices and circles: what one commit does to them, and how they
//! are looked up.

use crate::Postgres;
use crate::commit::Stop;
use crate::connections::Query;
use crate::failure::Failure;
use crate::row::{self, DEVICE, RECORD, TOKEN, get, role_name, signed, text};
use deadpool_postgres::Object;
use meantime_model::{DeviceId, TeamId};
use meantime_protocol::{Kind, Scope};
use meantime_server_core::storage::{Account, AuditEntry, Bearer, Change, Commit, Device, Invite, Standing, Token};
use meantime_server_core::{SecretHash, StorageError, TeamScope};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

impl Postgres {
    pub(crate) async fn find_bearer(&self, hash: SecretHash) -> Result<Option<Bearer>, StorageError> {
        let wanted: &[u8] = &hash.0;
        let sql = "SELECT team_id, device_id FROM meantime.team_of_token($1)";
        let found = self.connections.lookup(Query { sql, values: &[&wanted] }).await?;
        let Some(found) = found.first() else { return Ok(None) };
        let (team, device) = (TeamScope::operator(TeamId(get(found, 0)?)), DeviceId(get(found, 1)?));
        let values: &[&(dyn ToSql + Sync)] = &[&team.id().0, &device.0, &wanted];
        let sql = format!("SELECT {TOKEN} FROM token WHERE team_id = $1 AND device_id = $2 AND token = $3");
        let (token, standing) = self.stand(team, device, Some(Query { sql: &sql, values })).await?;
        Ok(token.zip(standing).map(|(token, standing)| Bearer { token, standing }))
    }

    pub(crate) async fn find_standing(
        &self,
        team: TeamScope,
        device: DeviceId,
    ) -> Result<Option<Standing>, StorageError> {
        Ok(self.stand(team, device, None).await?.1)
    }

    /// One state of a device and its person, with one of its tokens if asked for.
    async fn stand(
        &self,
        team: TeamScope,
        device: DeviceId,
        token: Option<Query<'_>>,
    ) -> Result<(Option<Token>, Option<Standing>), StorageError> {
        let (id, scope, kind) = (team.id().0, Scope::Team(team.id()).to_string(), Kind::MEMBER);
        let kind = kind.as_str();
        let theirs: &[&(dyn ToSql + Sync)] = &[&id, &device.0];
        let member_of: &[&(dyn ToSql + Sync)] = &[&id, &device.0, &scope, &kind];
        let the_device = format!("SELECT {DEVICE} FROM device WHERE team_id = $1 AND device_id = $2");
        let the_member = format!(
            "SELECT {RECORD} FROM device AS d JOIN record AS r
                 ON r.team_id = d.team_id AND r.scope = $3 AND r.kind = $4 AND r.id = d.person_id
             WHERE d.team_id = $1 AND d.device_id = $2"
        );
        let the_circles = "SELECT c.circle_id FROM device AS d JOIN circle AS c
                               ON c.team_id = d.team_id AND c.person_id = d.person_id
                           WHERE d.team_id = $1 AND d.device_id = $2 ORDER BY c.circle_id";
        let mut queries = vec![
            Query { sql: &the_device, values: theirs },
            Query { sql: &the_member, values: member_of },
            Query { sql: the_circles, values: theirs },
        ];
        queries.extend(token);
        let mut answers = self.connections.read(team, &queries).await?.into_iter();
        let mut next = || answers.next().unwrap_or_default();
        let (device, member, circles, token) = (next(), next(), next(), next());
        let token = token.first().map(row::token).transpose()?;
        let Some(device) = device.first() else { return Ok((token, None)) };
        let standing = Standing {
            device: row::device(device)?,
            member: member.first().map(row::stored).transpose()?,
            circles: circles.iter().map(|columns| get(columns, 0)).collect::<Result<_, _>>()?,
        };
        Ok((token, Some(standing)))
    }
}

/// One change, within a commit.
pub(crate) async fn change(client: &Object, team: TeamScope, change: &Change) -> Result<(), Stop> {
    match change {
        Change::AddInvite(invite) => add_invite(client, team, invite).await,
        Change::UseInvite(secret) => {
            let sql = "UPDATE invite SET used = true WHERE team_id = $1 AND secret = $2 AND NOT used";
            match run(client, team, sql, &[&secret.0.as_slice()]).await? {
                0 => Err(Stop::Answer(Commit::InviteGone)),
                _ => Ok(()),
            }
        }
        Change::DropInvites(person) => {
            let sql = "DELETE FROM invite WHERE team_id = $1 AND NOT used AND (by_person = $2 OR for_person = $2)";
            run(client, team, sql, &[&person.0]).await.map(drop)
        }
        Change::DropInvitesBy(person) => {
            let sql = "DELETE FROM invite WHERE team_id = $1 AND NOT used AND by_person = $2";
            run(client, team, sql, &[&person.0]).await.map(drop)
        }
        Change::AddDevice(device, token) => {
            add_device(client, team, device).await?;
            add_token(client, team, token).await
        }
        Change::RemoveDevice(device) => {
            lock_device(client, team, *device).await?;
            // Its tokens go with it.
            for sql in [
                "DELETE FROM taken WHERE team_id = $1 AND device_id = $2",
                "DELETE FROM device WHERE team_id = $1 AND device_id = $2",
            ] {
                run(client, team, sql, &[&device.0]).await?;
            }
            Ok(())
        }
        Change::AddToken(token) => {
            lock_device(client, team, token.device).await?;
            let sql = "UPDATE token SET retired_at = $3
                       WHERE team_id = $1 AND device_id = $2 AND NOT used AND retired_at IS NULL";
            run(client, team, sql, &[&token.device.0, &token.issued_at]).await?;
            add_token(client, team, token).await
        }
        Change::UseToken { device, token, at } => {
            lock_device(client, team, *device).await?;
            let hash = token.0.as_slice();
            let sql = "UPDATE token SET used = true
                       WHERE team_id = $1 AND device_id = $2 AND token = $3 AND retired_at IS NULL";
            if run(client, team, sql, &[&device.0, &hash]).await? == 0 {
                return Err(Stop::Answer(Commit::Stale));
            }
            let sql = "UPDATE token SET retired_at = $4
                       WHERE team_id = $1 AND device_id = $2 AND token <> $3 AND retired_at IS NULL";
            run(client, team, sql, &[&device.0, &hash, at]).await.map(drop)
        }
        Change::PutAccount(account) => put_account(client, team, account).await,
        Change::RemoveAccount(person) => {
            let sql = "DELETE FROM account WHERE team_id = $1 AND person_id = $2";
            run(client, team, sql, &[&person.0]).await.map(drop)
        }
        Change::Circle { circle, members } => {
            let sql = "DELETE FROM circle WHERE team_id = $1 AND circle_id = $2";
            run(client, team, sql, &[circle]).await?;
            let sql = "INSERT INTO circle (team_id, circle_id, person_id)
                       SELECT $1, $2, p FROM unnest($3::uuid[]) AS p ON CONFLICT DO NOTHING";
            let members: Vec<Uuid> = members.iter().map(|person| person.0).collect();
            run(client, team, sql, &[circle, &members]).await.map(drop)
        }
    }
}

/// Writes down what was done, numbered on from `noted`.
pub(crate) async fn note(client: &Object, team: TeamScope, noted: u64, entries: &[AuditEntry]) -> Result<(), Stop> {
    let sql = "INSERT INTO audit (team_id, seq, at, what, by_person, by_device, about, note)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    for (entry, seq) in entries.iter().zip(noted + 1..) {
        let (by, device) = (entry.by.map(|id| id.0), entry.device.map(|id| id.0));
        let (what, note) = (text(&entry.what), text(&entry.note));
        let values: &[&(dyn ToSql + Sync)] = &[&signed(seq), &entry.at, &what, &by, &device, &entry.about, &note];
        run(client, team, sql, values).await?;
    }
    Ok(())
}

/// What concerns one device's tokens is done one after the other: each looks
/// at all of them.
async fn lock_device(client: &Object, team: TeamScope, device: DeviceId) -> Result<(), Stop> {
    let sql = "SELECT 1 FROM device WHERE team_id = $1 AND device_id = $2 FOR NO KEY UPDATE";
    run(client, team, sql, &[&device.0]).await.map(drop)
}

async fn add_invite(client: &Object, team: TeamScope, invite: &Invite) -> Result<(), Stop> {
    let Invite { secret, role, expires_at, used, by, person, .. } = invite;
    let sql = "INSERT INTO invite (team_id, secret, role, expires_at, used, by_person, for_person)
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let (by, person) = (by.map(|id| id.0), person.map(|id| id.0));
    run(client, team, sql, &[&secret.0.as_slice(), &role_name(*role), expires_at, used, &by, &person]).await.map(drop)
}

async fn add_device(client: &Object, team: TeamScope, device: &Device) -> Result<(), Stop> {
    let Device { id, person, name, since, seen_at, .. } = device;
    let sql = "INSERT INTO device (team_id, device_id, person_id, name, since, seen_at)
               VALUES ($1, $2, $3, $4, $5, $6)";
    run(client, team, sql, &[&id.0, &person.0, &text(name), since, seen_at]).await.map(drop)
}

async fn add_token(client: &Object, team: TeamScope, token: &Token) -> Result<(), Stop> {
    let Token { hash, device, issued_at, used, retired_at } = token;
    let sql = "INSERT INTO token (team_id, device_id, token, issued_at, used, retired_at)
               VALUES ($1, $2, $3, $4, $5, $6)";
    run(client, team, sql, &[&device.0, &hash.0.as_slice(), issued_at, used, retired_at]).await.map(drop)
}

async fn put_account(client: &Object, team: TeamScope, account: &Account) -> Result<(), Stop> {
    let Account { person, login, password, totp } = account;
    let sql = "INSERT INTO account (team_id, person_id, login, password, totp_secret, totp_confirmed, totp_step)
               VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT (team_id, person_id) DO UPDATE SET
                   login = excluded.login, password = excluded.password, totp_secret = excluded.totp_secret,
                   totp_confirmed = excluded.totp_confirmed, totp_step = excluded.totp_step";
    let secret = totp.as_ref().map(|t| t.secret.as_slice());
    let (confirmed, step) = totp.as_ref().map_or((false, 0), |t| (t.confirmed, t.last_step));
    let values: &[&(dyn ToSql + Sync)] =
        &[&person.0, &text(login), &text(password), &secret, &confirmed, &signed(step)];
    match run(client, team, sql, values).await {
        // Somebody else took the login meanwhile.
        Err(Stop::Database(error)) if Failure::of(&error) == Failure::Duplicate => Err(Stop::Answer(Commit::Stale)),
        other => other.map(drop),
    }
}

/// One statement; `$1` is the team, the rest are its values. How many rows.
async fn run(client: &Object, team: TeamScope, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<u64, Stop> {
    let id = team.id().0;
    let values: Vec<&(dyn ToSql + Sync)> =
        std::iter::once(&id as &(dyn ToSql + Sync)).chain(values.iter().copied()).collect();
    let statement = client.prepare_cached(sql).await?;
    Ok(client.execute(&statement, &values).await?)
}
