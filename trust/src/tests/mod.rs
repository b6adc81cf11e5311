mod decide;
mod overlay;
