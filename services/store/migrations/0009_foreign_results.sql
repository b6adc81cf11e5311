-- Results about devices that are not enrolled are judged again as well: the newest one stands for the session that its
-- evidence answered.
ALTER TABLE results ADD COLUMN again_for BLOB;

CREATE INDEX results_again ON results (again_for, id) WHERE again_for IS NOT NULL;
CREATE INDEX results_foreign ON results (expires, id) WHERE media_type IS NOT NULL;
