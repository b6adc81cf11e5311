-- What is wrong with a handshake, where that is why packets were dropped.

ALTER TABLE violations ADD COLUMN tls TEXT;
