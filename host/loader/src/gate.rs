//! The gate: what a file is, said without running any of it.
//!
//! Constructors run inside `dlopen`, and a damaged file can end the process there; so everything that can be
//! known from the bytes is checked first.

use object::Endianness;
use object::elf;
use object::read::elf::{
    Dyn as _, FileHeader as _, ProgramHeader as _, SectionHeader as _, SectionTable, Sym as _,
};

use crate::metadata::Metadata;
use crate::refusal::{Reason, Refusal, clean};
use crate::{image, machine};

/// The largest plugin file, in bytes.
pub const SIZE_LIMIT: u64 = 256 << 20;

/// The libraries that a plugin may need; all come with the system's C library or compiler.
const ALLOWED: [&str; 6] =
    ["libc.so.6", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"];
const DYNAMIC_LOADER: &str = "ld-linux";

type Header = elf::FileHeader64<Endianness>;

/// Checks the bytes of a plugin file and reads its metadata. `file` is its name, for the message.
///
/// # Errors
/// The first thing that is wrong: kind of file, machine, completeness, metadata (ABI, target, panic
/// strategy), needed libraries and glibc, processor features, root symbol, addresses.
pub fn inspect(bytes: &[u8], file: &str) -> Result<Metadata, Refusal> {
    check(bytes).map_err(|reason| reason.of(file))
}

fn check(bytes: &[u8]) -> Result<Metadata, Reason> {
    check_kind(bytes)?;
    check_machine(bytes)?;
    let file = Elf::parse(bytes)?;
    file.check_library()?;
    let metadata = Metadata::read(file.record()?)?;
    let expected = machine::target();
    if metadata.target != expected {
        return Err(Reason::Target { found: metadata.target, expected });
    }
    if metadata.panic != "unwind" {
        return Err(Reason::Panic { found: metadata.panic });
    }
    file.check_needed()?;
    file.check_glibc()?;
    let missing = metadata.features.iter().filter(|name| !machine::has_cpu_feature(name));
    let missing: Vec<String> = missing.cloned().collect();
    if !missing.is_empty() {
        return Err(Reason::CpuFeatures { found: missing });
    }
    file.check_root(&metadata.root)?;
    image::check(bytes, file.endian, file.segments, &file.sections).map_err(Reason::Damaged)?;
    Ok(metadata)
}

fn check_kind(bytes: &[u8]) -> Result<(), Reason> {
    if bytes.is_empty() {
        return Err(Reason::Empty);
    }
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(Reason::TooLarge { found: bytes.len() as u64, limit: SIZE_LIMIT });
    }
    if bytes.starts_with(b"\x7fELF") {
        return Ok(());
    }
    let kinds: [(&[u8], &str); 9] = [
        (b"!<arch>\n", "a static library (an `ar` archive)"),
        (b"!<thin>\n", "a static library (a thin `ar` archive)"),
        (b"MZ", "a Windows file"),
        (b"\xcf\xfa\xed\xfe", "a macOS file"),
        (b"\xca\xfe\xba\xbe", "a macOS file"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive"),
        (b"\xfd7zXZ\0", "an xz archive"),
    ];
    let start = &bytes[..bytes.len().min(512)];
    // A character may be cut at the end of the start.
    let is_text = std::str::from_utf8(start).is_ok_and(|text| !text.contains('\0'))
        || std::str::from_utf8(start).is_err_and(|e| e.valid_up_to() > 500 && e.error_len().is_none());
    let known = kinds.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, kind)| *kind);
    let found = known.unwrap_or(if is_text { "text" } else { "a file of an unknown kind" });
    Err(Reason::NotALibrary { found: found.to_owned() })
}

/// The first 20 bytes: they have the same places in all ELF files.
fn check_machine(bytes: &[u8]) -> Result<(), Reason> {
    let Some(start) = bytes.first_chunk::<20>() else {
        return Err(Reason::Truncated { found: bytes.len() as u64, expected: size_of::<Header>() as u64 });
    };
    let big = start[5] == elf::ELFDATA2MSB.0;
    let number = |at: usize| {
        let pair = [start[at], start[at + 1]];
        if big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    };
    let name = |class: u8, big: bool, machine: u16| {
        let class = match class {
            1 => "32-bit",
            2 => "64-bit",
            _ => "unknown word size,",
        };
        let order = if big { "big-endian" } else { "little-endian" };
        format!("{class} {order} {}", machine_name(machine))
    };
    let native = if cfg!(target_arch = "aarch64") { elf::EM_AARCH64 } else { elf::EM_X86_64 }.0;
    let (class, machine) = (start[4], number(18));
    if class != elf::ELFCLASS64.0 || big || start[5] != elf::ELFDATA2LSB.0 || machine != native {
        return Err(Reason::Machine { found: name(class, big, machine), expected: name(2, false, native) });
    }
    let found = match elf::FileType(number(16)) {
        elf::ET_DYN => return Ok(()),
        elf::ET_REL => "an object file",
        elf::ET_EXEC => "a program",
        elf::ET_CORE => "a core file",
        _ => "an ELF file of an unknown kind",
    };
    Err(Reason::NotALibrary { found: found.to_owned() })
}

fn machine_name(machine: u16) -> String {
    let name = match elf::Machine(machine) {
        elf::EM_386 => "i386",
        elf::EM_X86_64 => "x86_64",
        elf::EM_ARM => "arm",
        elf::EM_AARCH64 => "aarch64",
        elf::EM_RISCV => "riscv",
        elf::EM_PPC64 => "powerpc64",
        elf::EM_S390 => "s390x",
        elf::EM_LOONGARCH => "loongarch",
        _ => return format!("(machine number {machine})"),
    };
    name.to_owned()
}

/// A parsed file, all of whose segments and sections lie inside it.
struct Elf<'data> {
    bytes: &'data [u8],
    endian: Endianness,
    segments: &'data [elf::ProgramHeader64<Endianness>],
    sections: SectionTable<'data, Header>,
}

impl<'data> Elf<'data> {
    fn parse(bytes: &'data [u8]) -> Result<Self, Reason> {
        let found = bytes.len() as u64;
        if found < size_of::<Header>() as u64 {
            return Err(Reason::Truncated { found, expected: size_of::<Header>() as u64 });
        }
        let header = Header::parse(bytes).map_err(damaged)?;
        let endian = header.endian().map_err(damaged)?;
        // Where the last thing ends that the headers speak of.
        let mut expected = size_of::<Header>() as u64;
        let mut reach = |offset: u64, count: u64, size: u64| {
            let end = count.checked_mul(size).and_then(|length| offset.checked_add(length));
            let end = end.ok_or_else(|| Reason::Damaged("a size in its headers overflows".to_owned()))?;
            expected = expected.max(end);
            Ok(())
        };
        reach(header.e_phoff(endian), header.e_phnum(endian).into(), header.e_phentsize(endian).into())?;
        reach(header.e_shoff(endian), header.e_shnum(endian).into(), header.e_shentsize(endian).into())?;
        if let Ok(segments) = header.program_headers(endian, bytes) {
            for segment in segments {
                reach(segment.p_offset(endian), segment.p_filesz(endian), 1)?;
            }
        }
        if let Ok(sections) = header.section_headers(endian, bytes) {
            for section in sections {
                if ![elf::SHT_NULL, elf::SHT_NOBITS].contains(&section.sh_type(endian)) {
                    reach(section.sh_offset(endian), section.sh_size(endian), 1)?;
                }
            }
        }
        if expected > found {
            return Err(Reason::Truncated { found, expected });
        }
        let segments = header.program_headers(endian, bytes).map_err(damaged)?;
        let sections = header.sections(endian, bytes).map_err(damaged)?;
        Ok(Self { bytes, endian, segments, sections })
    }

    fn record(&self) -> Result<&'data [u8], Reason> {
        let name = nshot_abi::metadata::SECTION.as_bytes();
        let (_, section) = self.sections.section_by_name(self.endian, name).ok_or(Reason::NotAPlugin)?;
        section.data(self.endian, self.bytes).map_err(damaged)
    }

    /// A program may look like a library but for a flag.
    fn check_library(&self) -> Result<(), Reason> {
        let dynamic = self.sections.dynamic(self.endian, self.bytes).map_err(damaged)?;
        let Some((entries, _)) = dynamic else {
            return Err(Reason::Damaged("it has no dynamic section".to_owned()));
        };
        let is_program = entries.iter().any(|entry| {
            entry.d_tag(self.endian) == elf::DT_FLAGS_1 && entry.d_val(self.endian) & elf::DF_1_PIE.0 != 0
        });
        if is_program { Err(Reason::NotALibrary { found: "a program".to_owned() }) } else { Ok(()) }
    }

    /// `DT_NEEDED`: the libraries that are loaded with it.
    fn check_needed(&self) -> Result<(), Reason> {
        let dynamic = self.sections.dynamic(self.endian, self.bytes).map_err(damaged)?;
        let Some((entries, strings)) = dynamic else { return Ok(()) };
        let strings = self.sections.strings(self.endian, self.bytes, strings).map_err(damaged)?;
        let in_use = entries.iter().take_while(|entry| entry.d_tag(self.endian) != elf::DT_NULL);
        for entry in in_use.filter(|entry| entry.d_tag(self.endian) == elf::DT_NEEDED) {
            let offset = u32::try_from(entry.d_val(self.endian)).ok();
            let name = offset.and_then(|offset| strings.get(offset).ok());
            let name =
                name.ok_or_else(|| Reason::Damaged("a library that it needs has no name".to_owned()))?;
            check_needed(&String::from_utf8_lossy(name))?;
        }
        Ok(())
    }

    /// The newest `GLIBC_x.y` that its symbols ask for.
    fn check_glibc(&self) -> Result<(), Reason> {
        let Some(has) = machine::glibc() else { return Ok(()) };
        let Some((files, strings)) = self.sections.gnu_verneed(self.endian, self.bytes).map_err(damaged)?
        else {
            return Ok(());
        };
        let strings = self.sections.strings(self.endian, self.bytes, strings).map_err(damaged)?;
        let mut newest = (0, 0);
        for file in files {
            for version in file.map_err(damaged)?.1 {
                let name = version.and_then(|version| version.name(self.endian, strings)).map_err(damaged)?;
                let name = String::from_utf8_lossy(name);
                newest = name
                    .strip_prefix("GLIBC_")
                    .and_then(machine::parse_version)
                    .map_or(newest, |needs| newest.max(needs));
            }
        }
        if newest > has {
            let text = |version: (u32, u32)| format!("{}.{}", version.0, version.1);
            return Err(Reason::Glibc { found: text(newest), expected: text(has) });
        }
        Ok(())
    }

    /// The root symbol is defined, and there is room for a table's header.
    fn check_root(&self, root: &str) -> Result<(), Reason> {
        let symbols = self.sections.symbols(self.endian, self.bytes, elf::SHT_DYNSYM).map_err(damaged)?;
        let named = |symbol: &&elf::Sym64<Endianness>| {
            symbols.symbol_name(self.endian, symbol).is_ok_and(|name| name == root.as_bytes())
        };
        let symbol = symbols.iter().find(named).filter(|symbol| !symbol.is_undefined(self.endian));
        let symbol = symbol.ok_or_else(|| Reason::NoRoot { expected: root.to_owned() })?;
        let least = size_of::<nshot_abi::abi_stable::library::AbiHeader>() as u64;
        let (kind, size) = (symbol.st_type(), symbol.st_size(self.endian));
        if kind != elf::STT_OBJECT || size < least {
            let kind = if kind == elf::STT_FUNC { "a function" } else { "an object" };
            let found = format!("found {kind} of {size} bytes, expected an object of {least} or more");
            return Err(Reason::Root { symbol: root.to_owned(), found });
        }
        Ok(())
    }
}

fn check_needed(name: &str) -> Result<(), Reason> {
    if ALLOWED.contains(&name) || name.starts_with(DYNAMIC_LOADER) {
        return Ok(());
    }
    let expected = format!("only {} and {DYNAMIC_LOADER}*", ALLOWED.join(", "));
    Err(Reason::Needs { found: clean(name, 100), expected })
}

fn damaged(error: object::read::Error) -> Reason {
    Reason::Damaged(error.to_string())
}
