-- What was wrong with dropped packets, and whose MAC or address was used.
ALTER TABLE violations ADD COLUMN class TEXT NOT NULL DEFAULT 'no-match';
ALTER TABLE violations ADD COLUMN imitated BLOB;
UPDATE violations SET class = CASE log_group WHEN 12 THEN 'unknown-device' WHEN 13 THEN 'resolver' ELSE 'no-match' END;
CREATE INDEX violations_by_imitated ON violations (imitated, last_at) WHERE imitated IS NOT NULL;
CREATE INDEX violations_by_mac ON violations (mac, last_at) WHERE class = 'spoofed-binding';
