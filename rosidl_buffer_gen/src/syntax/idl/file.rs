//! The loop over the pieces of a file: which statement is in which block.
//!
//! Pieces go in, the tree of the file comes out. The loop keeps the open blocks in a list, so that
//! no nesting is too deep for it.

use super::{
    reader::Reader,
    split::{Piece, split},
    statement::{Declaration, Head},
    tree::{Constant, ConstantModule, File, Struct, Typedef},
};
use crate::{
    diagnostic::{Code, Diagnostic},
    name::InterfaceName,
    source::Span,
    syntax::ast::Name,
};

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Reads the file that should declare `name`.
pub(super) fn read_file(name: &InterfaceName, reader: &mut Reader<'_>) -> File {
    let text = reader.source.text();
    let mut start = 0;
    if text.starts_with(BYTE_ORDER_MARK) {
        start = BYTE_ORDER_MARK.len();
        reader.error(0..start, || {
            Diagnostic::new(Code::BadLine, "the file starts with a byte order mark")
                .help("save it as UTF-8 without one")
        });
    }
    let mut walker = Walker {
        reader,
        name,
        file: File::default(),
        blocks: Vec::new(),
        pending: None,
        closed: None,
        misplaced: false,
    };
    for piece in split(text, start) {
        walker.piece(piece);
    }
    walker.finish()
}

enum Inside {
    Module(String),
    /// The last of the file's structs.
    Struct,
    /// Something that is not looked at.
    Foreign,
}

struct Block {
    inside: Inside,
    open: Span,
    /// Where in the file's list the constants of this module are, if it has any.
    constants: Option<usize>,
}

struct Walker<'r, 'a> {
    reader: &'r mut Reader<'a>,
    name: &'r InterfaceName,
    file: File,
    blocks: Vec<Block>,
    /// A text that waits for what ends it.
    pending: Option<Span>,
    /// A `}` that waits for its `;`.
    closed: Option<Closed>,
    /// Whether a struct in the wrong module was told: one is enough.
    misplaced: bool,
}

struct Closed {
    at: Span,
    /// A union or the like may have a name before the `;`.
    foreign: bool,
}

impl Walker<'_, '_> {
    fn piece(&mut self, piece: Piece) {
        if let Some(closed) = self.closed.take() {
            match &piece {
                Piece::Semicolon(_) => return,
                Piece::Text(_) if closed.foreign => {
                    self.closed = Some(closed);
                    return;
                }
                _ => self.error(closed.at, "a `;` is missing behind this `}`", "write `};`"),
            }
        }
        match piece {
            Piece::Text(span) => self.pending = Some(span),
            Piece::Open(open) => self.open(open),
            Piece::Semicolon(at) => match self.pending.take() {
                Some(span) => self.statement(&span),
                None if self.in_foreign() => {}
                None => self.error(at, "there is nothing before this `;`", "remove it"),
            },
            Piece::Close(at) => self.close(at),
            Piece::Directive(at) => self.reader.unsupported(
                at,
                "preprocessor but for `#include`",
                "write out what the line stands for",
            ),
            Piece::UnclosedString(at) => {
                // What it belongs to cannot be read without it.
                self.pending = None;
                let help = "close it in the same line; strings in a row are one string";
                self.error(at, "this string is not closed", help);
            }
            Piece::UnclosedComment(at) => {
                // Whatever is open is not closed for this reason.
                self.pending = None;
                self.blocks.clear();
                let at = at.start..at.start + "/*".len();
                self.error(at, "this comment is not closed", "it ends with `*/`");
            }
        }
    }

    fn in_foreign(&self) -> bool {
        let last = self.blocks.last().map(|block| &block.inside);
        matches!(last, Some(Inside::Foreign))
    }

    fn open(&mut self, open: Span) {
        let pending = self.pending.take();
        let inside = match (pending, self.blocks.last().map(|block| &block.inside)) {
            (_, Some(Inside::Foreign)) => Inside::Foreign,
            (Some(span), Some(Inside::Struct)) => {
                let start = span.start..open.end;
                self.reader.unsupported(
                    start,
                    "blocks inside of structs",
                    "put the inner struct into a file of its own",
                );
                Inside::Foreign
            }
            (Some(span), _) => self.head(&span),
            (None, _) => {
                let help = "a block is `module name { … };` or `struct Name { … };`";
                self.error(open.clone(), "there is nothing before this `{`", help);
                Inside::Foreign
            }
        };
        self.blocks.push(Block {
            inside,
            open,
            constants: None,
        });
    }

    fn head(&mut self, span: &Span) -> Inside {
        match self.reader.head(span) {
            Head::Module(name) => Inside::Module(name),
            Head::Struct(name, annotations) => {
                self.check_path(&name);
                self.file.structs.push(Struct {
                    name,
                    annotations,
                    members: Vec::new(),
                });
                Inside::Struct
            }
            Head::Foreign => Inside::Foreign,
        }
    }

    /// ROS 2 wants the structs of a file in the modules that the file's own place says.
    fn check_path(&mut self, name: &Name) {
        let modules = self.blocks.iter().filter_map(|block| match &block.inside {
            Inside::Module(name) => Some(name.as_str()),
            _ => None,
        });
        let expected = [self.name.package().as_str(), self.name.kind().as_str()];
        if self.misplaced || modules.clone().eq(expected) {
            return;
        }
        self.misplaced = true;
        // A path of many modules would not be read to its end.
        let path: Vec<_> = modules.take(8).collect();
        let found = match path.as_slice() {
            [] => "outside of all modules".to_owned(),
            path => format!("in `{}`", path.join("::")),
        };
        let expected = expected.join("::");
        self.reader.error(name.span.clone(), || {
            let message = format!("this struct is {found}, but the file is one of `{expected}`");
            Diagnostic::new(Code::BadName, message).help(format!(
                "`module {} {{ module {} {{ … }}; }};`, after the package and the folder",
                self.name.package(),
                self.name.kind()
            ))
        });
    }

    fn statement(&mut self, span: &Span) {
        match self.blocks.last().map(|block| &block.inside) {
            Some(Inside::Foreign) => {}
            Some(Inside::Struct) => {
                let member = self.reader.member(span);
                if let Some(last) = self.file.structs.last_mut() {
                    last.members.extend(member);
                }
            }
            Some(Inside::Module(_)) | None => match self.reader.declaration(span) {
                Some(Declaration::Constant(constant)) => self.constant(constant),
                Some(Declaration::Typedef(name, typedef)) => self.typedef(name, typedef),
                Some(Declaration::Forward) | None => {}
            },
        }
    }

    fn constant(&mut self, constant: Constant) {
        let Some(Block {
            inside: Inside::Module(name),
            constants,
            ..
        }) = self.blocks.last_mut()
        else {
            self.error(
                constant.name.span,
                "this constant is outside of all modules",
                "constants of a struct `Name` are in `module Name_Constants { … };` before it",
            );
            return;
        };
        let modules = &mut self.file.constants;
        let index = *constants.get_or_insert_with(|| {
            modules.push(ConstantModule {
                name: name.clone(),
                constants: Vec::new(),
            });
            modules.len() - 1
        });
        modules[index].constants.push(constant);
    }

    fn typedef(&mut self, name: Name, typedef: Typedef) {
        match self.file.typedefs.get(&name.text) {
            Some(other) if *other != typedef => self.reader.error(name.span, || {
                let message = "this name stands for another type already";
                Diagnostic::new(Code::Duplicate, message)
                    .help("ROS 2 does not look at the module of a `typedef`: choose another name")
            }),
            Some(_) => {}
            None => {
                self.file.typedefs.insert(name.text, typedef);
            }
        }
    }

    fn close(&mut self, at: Span) {
        let pending = self.pending.take();
        let Some(block) = self.blocks.pop() else {
            self.error(at.clone(), "this `}` closes nothing", "remove it");
            // The `;` behind it belongs to it.
            self.closed = Some(Closed { at, foreign: true });
            return;
        };
        let foreign = matches!(block.inside, Inside::Foreign);
        if let Some(span) = pending.filter(|_| !foreign) {
            self.unfinished(&span);
        }
        self.closed = Some(Closed { at, foreign });
    }

    /// A text that ends without `;`.
    fn unfinished(&mut self, span: &Span) {
        let text = &self.reader.source.text()[span.clone()];
        self.reader
            .missing_semicolon(span.start + text.trim_end().len());
    }

    fn error(&mut self, span: Span, message: &str, help: &str) {
        self.reader
            .error(span, || Diagnostic::new(Code::BadLine, message).help(help));
    }

    fn finish(mut self) -> File {
        if let Some(closed) = self.closed.take() {
            self.error(closed.at, "a `;` is missing behind this `}`", "write `};`");
        }
        if let Some(span) = self.pending.take() {
            self.unfinished(&span);
        }
        if let Some(block) = self.blocks.pop() {
            self.error(
                block.open,
                "this `{` is not closed",
                "a block ends with `};`",
            );
        }
        self.file
    }
}
