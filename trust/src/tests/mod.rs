mod appraise;
mod decide;
mod fixture;
mod overlay;
mod release;
