//! Whether a file keeps to its own memory when the system's loader puts it together.
//!
//! What goes wrong inside a plugin's memory goes wrong everywhere, and the probe sees it. A damaged address
//! outside it hits whatever lies there: nothing in the probe, something of the host's in the host. So
//! addresses, relocations and symbols are checked here.

use object::Endianness;
use object::elf;
use object::read::SymbolIndex;
use object::read::elf::{
    Dyn as _, Dynamic, ProgramHeader, Rela as _, SectionHeader as _, SectionTable, Sym as _, SymbolTable,
};

type Header = elf::FileHeader64<Endianness>;
type Segment = elf::ProgramHeader64<Endianness>;

/// More segments than this are no library that a linker makes; each address is compared with all of them.
const PARTS: usize = 64;

/// The parts of the dynamic section that are an address and a length.
const TABLES: [(elf::DynamicTag, elf::DynamicTag); 6] = [
    (elf::DT_RELA, elf::DT_RELASZ),
    (elf::DT_RELR, elf::DT_RELRSZ),
    (elf::DT_JMPREL, elf::DT_PLTRELSZ),
    (elf::DT_INIT_ARRAY, elf::DT_INIT_ARRAYSZ),
    (elf::DT_FINI_ARRAY, elf::DT_FINI_ARRAYSZ),
    (elf::DT_STRTAB, elf::DT_STRSZ),
];

/// Checks that all that the system's loader follows stays within the file's own segments.
///
/// # Errors
/// What points elsewhere, as the end of a sentence.
pub(crate) fn check(
    bytes: &[u8],
    endian: Endianness,
    segments: &[Segment],
    sections: &SectionTable<'_, Header>,
) -> Result<(), String> {
    let text = |e: object::read::Error| e.to_string();
    let image = Image::new(endian, segments)?;
    let symbols = sections.symbols(endian, bytes, elf::SHT_DYNSYM).map_err(text)?;
    if let Some((entries, _)) = sections.dynamic(endian, bytes).map_err(text)? {
        image.check_dynamic(entries)?;
    }
    // Sections may lie over each other: more entries than the file has room for would only take time.
    let mut room = bytes.len();
    for section in sections.iter() {
        if let Some((relocations, _)) = section.rela(endian, bytes).map_err(text)?
            && section.sh_flags(endian).contains(elf::SHF_ALLOC)
        {
            room = room
                .checked_sub(size_of_val(relocations))
                .ok_or("its tables of relocations lie over each other")?;
            relocations.iter().try_for_each(|entry| image.check_relocation(entry, symbols.len()))?;
        }
    }
    image.check_symbols(&symbols)?;
    if let Some(versions) = sections.versions(endian, bytes).map_err(text)? {
        for symbol in 0..symbols.len() {
            let index = versions.version_index(endian, SymbolIndex(symbol)).index();
            versions.version(index).map_err(text)?;
        }
    }
    Ok(())
}

/// The memory of a file: start, end and whether it is written to, for each part.
struct Image {
    endian: Endianness,
    parts: Vec<(u64, u64, bool)>,
}

impl Image {
    fn new(endian: Endianness, segments: &[Segment]) -> Result<Self, String> {
        let mut parts = Vec::new();
        for segment in segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD) {
            let (start, length) = (segment.p_vaddr(endian), segment.p_memsz(endian));
            let end = start.checked_add(length).ok_or("a segment overflows")?;
            if length < segment.p_filesz(endian) {
                return Err("a segment is smaller in memory than in the file".to_owned());
            }
            parts.push((start, end, segment.p_flags(endian).contains(elf::PF_W)));
            if parts.len() > PARTS {
                return Err(format!("it has more than {PARTS} segments"));
            }
        }
        Ok(Self { endian, parts })
    }

    fn holds(&self, address: u64, length: u64) -> bool {
        let end = address.checked_add(length);
        end.is_some_and(|end| self.parts.iter().any(|&(start, stop, _)| start <= address && end <= stop))
    }

    fn check_dynamic(&self, entries: &[elf::Dyn64<Endianness>]) -> Result<(), String> {
        let pair = |entry: &elf::Dyn64<Endianness>| (entry.d_tag(self.endian), entry.d_val(self.endian));
        let entries: Vec<_> = entries.iter().map(pair).take_while(|(tag, _)| *tag != elf::DT_NULL).collect();
        let value = |wanted| entries.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
        for &(tag, val) in &entries {
            // The debugger's entry is filled in at run time.
            if (Dynamic { tag, val }).is_address() && tag != elf::DT_DEBUG && !self.holds(val, 0) {
                return Err(format!("an entry of its dynamic section points outside it, to {val:#x}"));
            }
        }
        for (start, length) in TABLES {
            if let (Some(start), Some(length)) = (value(start), value(length))
                && !self.holds(start, length)
            {
                return Err(format!(
                    "a table of its dynamic section ends outside it: {length} bytes at {start:#x}"
                ));
            }
        }
        Ok(())
    }

    fn check_relocation(&self, entry: &elf::Rela64<Endianness>, symbols: usize) -> Result<(), String> {
        let place = entry.r_offset(self.endian);
        let end = place.saturating_add(8);
        let writable =
            |&(start, stop, writable): &(u64, u64, bool)| writable && start <= place && end <= stop;
        if !self.parts.iter().any(writable) {
            return Err(format!("a relocation writes outside its data, to {place:#x}"));
        }
        let symbol = entry.r_sym(self.endian, false);
        if symbol as usize >= symbols.max(1) {
            return Err(format!("a relocation names the symbol {symbol} of {symbols}"));
        }
        let relative = [elf::R_X86_64_RELATIVE, elf::R_AARCH64_RELATIVE];
        let target = entry.r_addend(self.endian);
        if relative.contains(&entry.r_type(self.endian, false)) && !self.holds(target as u64, 0) {
            return Err(format!("a relocation points outside it, to {target:#x}"));
        }
        Ok(())
    }

    fn check_symbols(&self, symbols: &SymbolTable<'_, Header>) -> Result<(), String> {
        for symbol in symbols.iter() {
            let in_memory = !symbol.is_undefined(self.endian)
                && !symbol.is_absolute(self.endian)
                && symbol.st_type() != elf::STT_TLS;
            let (address, size) = (symbol.st_value(self.endian), symbol.st_size(self.endian));
            if in_memory && !self.holds(address, size) {
                return Err(format!("a symbol lies outside it: {size} bytes at {address:#x}"));
            }
        }
        Ok(())
    }
}
