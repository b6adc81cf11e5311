-- What a person leaves a device: before, every hold was a block.

ALTER TABLE devices ADD COLUMN held_to TEXT;
UPDATE devices SET held_to = 'blocked' WHERE held_by IS NOT NULL;
