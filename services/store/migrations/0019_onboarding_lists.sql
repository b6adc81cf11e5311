-- Lists of devices to onboard, the newest change first.

CREATE INDEX onboardings_by_change ON onboardings (state, changed_at, guid);
CREATE INDEX onboardings_that_failed ON onboardings (changed_at, guid) WHERE failure IS NOT NULL;
