mod appraise;
mod attester;
mod bundle;
mod decide;
mod fixture;
mod overlay;
mod release;
mod scan;
