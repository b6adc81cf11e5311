mod appraise;
mod bundle;
mod decide;
mod fixture;
mod overlay;
mod release;
