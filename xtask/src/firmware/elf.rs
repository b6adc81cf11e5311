//! The sizes of sections in an executable of the board (ELF, 32 bits, little-endian).

/// Where the header says where the section headers are, how long each is, how many, and which one has the names.
const SECTION_OFFSET: usize = 0x20;
const SECTION_ENTRY_LEN: usize = 0x2e;
const SECTION_COUNT: usize = 0x30;
const SECTION_NAMES: usize = 0x32;

/// Members of a section header.
const NAME: usize = 0x00;
const OFFSET: usize = 0x10;
const SIZE: usize = 0x14;

/// Size of the section with this name in bytes, if the file is such an executable and has it.
pub(super) fn section_size(file: &[u8], name: &str) -> Option<u64> {
    if !file.starts_with(b"\x7fELF\x01\x01") {
        return None;
    }
    let first = word(file, SECTION_OFFSET)?;
    let entry_len = usize::from(half(file, SECTION_ENTRY_LEN)?);
    let header = |index: u16| file.get(first + usize::from(index) * entry_len..);
    let names = file.get(word(header(half(file, SECTION_NAMES)?)?, OFFSET)?..)?;
    (0..half(file, SECTION_COUNT)?).filter_map(header).find_map(|section| {
        let found = names.get(word(section, NAME)?..)?;
        let found = found.split(|byte| *byte == 0).next()?;
        if found == name.as_bytes() { u64::try_from(word(section, SIZE)?).ok() } else { None }
    })
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let value = bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))?;
    usize::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with two sections: the names, and `.text` of 0x1234 bytes.
    fn sample() -> Vec<u8> {
        let mut file = vec![0; 0x34];
        file[..6].copy_from_slice(b"\x7fELF\x01\x01");
        file[SECTION_OFFSET] = 0x34;
        file[SECTION_ENTRY_LEN] = 0x28;
        file[SECTION_COUNT] = 2;
        let mut sections = vec![0; 2 * 0x28];
        sections[OFFSET] = 0x34 + 2 * 0x28;
        sections[0x28 + NAME] = 1;
        sections[0x28 + SIZE..][..2].copy_from_slice(&0x1234u16.to_le_bytes());
        file.extend(sections);
        file.extend(b"\0.text\0");
        file
    }

    #[test]
    fn finds_the_size_of_a_section_by_its_name() {
        assert_eq!(section_size(&sample(), ".text"), Some(0x1234));
        assert_eq!(section_size(&sample(), ".tex"), None);
    }

    #[test]
    fn other_files_and_cut_ones_have_no_sections() {
        let mut other = sample();
        other[4] = 2;
        assert_eq!(section_size(&other, ".text"), None);
        for len in 0..sample().len() - 1 {
            assert_eq!(section_size(&sample()[..len], ".text"), None, "{len}");
        }
    }
}
