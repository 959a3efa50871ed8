-- From here on the secrets of authenticators are sealed, which is done where
-- the key is known. Nothing else changes; the number alone keeps older servers
-- away: they would take what is sealed for the secret itself, and refuse every
-- code.
COMMENT ON COLUMN meantime.account.totp_secret IS 'sealed with the servers'' seal.key';
