mod appraise;
mod attester;
mod bundle;
mod decide;
mod fixture;
mod overlay;
mod quote;
mod release;
