SET LOCAL search_path = meantime, pg_temp;

-- Who wrote a thread's outcome: it goes with them, also when their devices are
-- gone long since.
ALTER TABLE record ADD COLUMN decided_by uuid;
