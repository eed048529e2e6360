//! The flow of what a function reads from memory: to a branch, an address, a division or a call.
//!
//! All that is read is taken for secret, and what is computed of it, and arguments that are no `i32`;
//! other arguments, which are addresses and lengths, constants and the stack pointer are not. Locals
//! are followed through blocks and loops until nothing changes.

use std::{collections::BTreeMap, path::Path};

use wasmparser::{
    BlockType, CompositeInnerType, ContType, FrameKind, FuncType, KnownCustom, ModuleArity, Name,
    Operator, Parser, Payload, RefType, SubType, TypeRef, ValType,
};

/// The module of a component that has code of `rsa_fma`.
#[derive(Default)]
pub struct Module {
    types: Vec<SubType>,
    /// Types of all functions, imported ones first.
    functions: Vec<u32>,
    imported: usize,
    names: BTreeMap<String, usize>,
    name_of: BTreeMap<usize, String>,
    bodies: Vec<Body>,
}

struct Body {
    locals: usize,
    operators: Vec<Operator<'static>>,
}

/// A secret where it must not be.
#[derive(Debug)]
#[allow(dead_code, reason = "shown")]
pub struct Finding {
    function: String,
    at: usize,
    what: String,
}

impl Module {
    /// Reads a component with names.
    pub fn read(file: &Path) -> Module {
        // It is looked at until the test ends.
        let bytes: &'static [u8] = std::fs::read(file).unwrap().leak();
        let mut modules = vec![Module::default()];
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.unwrap() {
                Payload::ModuleSection { .. } => modules.push(Module::default()),
                payload => modules.last_mut().unwrap().add(payload),
            }
        }
        let of_rust = |module: &Module| module.functions().any(|name| name.contains("rsa_fma"));
        modules
            .into_iter()
            .find(of_rust)
            .expect("a module with names")
    }

    fn add(&mut self, payload: Payload<'static>) {
        match payload {
            Payload::TypeSection(types) => {
                let groups = types.into_iter().map(Result::unwrap);
                self.types = groups.flat_map(|group| group.into_types()).collect();
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    if let TypeRef::Func(kind) = import.unwrap().ty {
                        self.functions.push(kind);
                        self.imported += 1;
                    }
                }
            }
            Payload::FunctionSection(functions) => {
                self.functions
                    .extend(functions.into_iter().map(Result::unwrap));
            }
            Payload::CodeSectionEntry(body) => {
                let locals = body.get_locals_reader().unwrap().into_iter();
                self.bodies.push(Body {
                    locals: locals.map(|local| local.unwrap().0 as usize).sum(),
                    operators: body
                        .get_operators_reader()
                        .unwrap()
                        .into_iter()
                        .map(Result::unwrap)
                        .collect(),
                });
            }
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(names) = section.as_known() {
                    for subsection in names {
                        if let Name::Function(map) = subsection.unwrap() {
                            for naming in map {
                                let naming = naming.unwrap();
                                let (index, name) = (naming.index as usize, naming.name.to_owned());
                                self.name_of.insert(index, name.clone());
                                self.names.insert(name, index);
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// The names of all functions.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// The findings about a function.
    pub fn findings(&self, name: &str) -> Vec<Finding> {
        let index = self.names[name];
        let body = &self.bodies[index - self.imported];
        let (_, results) = self.arity(index as u32);
        let kind = &self.types[self.functions[index] as usize];
        let params = kind.unwrap_func().params().iter();
        let mut locals: Vec<bool> = params.map(|kind| *kind != ValType::I32).collect();
        locals.resize(locals.len() + body.locals, false);
        let mut flow = Flow {
            module: self,
            name,
            locals,
            stack: Vec::new(),
            frames: vec![Frame::new(Kind::Block, 0, 0, results)],
            found: BTreeMap::new(),
        };
        flow.run(&body.operators);
        let finding = |(at, what)| Finding {
            function: name.to_owned(),
            at,
            what,
        };
        flow.found.into_iter().map(finding).collect()
    }

    fn arity(&self, function: u32) -> (usize, usize) {
        let kind = self.functions[function as usize];
        let (params, results) = self.sub_type_arity(&self.types[kind as usize]).unwrap();
        (params as usize, results as usize)
    }

    /// True of a function that copies memory: it gives back the address that it copied to, nothing that
    /// it read.
    fn copies(&self, function: u32) -> bool {
        let name = self.name_of.get(&(function as usize));
        name.is_some_and(|name| matches!(name.as_str(), "memcpy" | "memmove" | "memset"))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Block,
    Loop,
    If,
}

struct Frame {
    kind: Kind,
    start: usize,
    height: usize,
    results: usize,
    /// Locals and results where this ends, of all ways there.
    end: Option<(Vec<bool>, Vec<bool>)>,
    /// Locals where a loop or the other branch begins.
    begin: Vec<bool>,
}

impl Frame {
    fn new(kind: Kind, start: usize, height: usize, results: usize) -> Frame {
        Frame {
            kind,
            start,
            height,
            results,
            end: None,
            begin: Vec::new(),
        }
    }
}

/// A function being followed; `true` is secret.
struct Flow<'a> {
    module: &'a Module,
    name: &'a str,
    locals: Vec<bool>,
    stack: Vec<bool>,
    frames: Vec<Frame>,
    found: BTreeMap<usize, String>,
}

impl Flow<'_> {
    fn run(&mut self, operators: &[Operator<'static>]) {
        let (mut at, mut live, mut dead_blocks) = (0, true, 0);
        while let Some(operator) = operators.get(at) {
            if !live {
                match operator {
                    Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                        dead_blocks += 1;
                        at += 1;
                        continue;
                    }
                    Operator::End if dead_blocks > 0 => {
                        dead_blocks -= 1;
                        at += 1;
                        continue;
                    }
                    Operator::Else if dead_blocks == 0 => {}
                    Operator::End => {}
                    _ => {
                        at += 1;
                        continue;
                    }
                }
            }
            let mut next = at + 1;
            match operator {
                Operator::Block { blockty } => self.enter(Kind::Block, at, *blockty),
                Operator::Loop { blockty } => self.enter(Kind::Loop, at, *blockty),
                Operator::If { blockty } => {
                    self.refuse_secrets(at, operator, 1);
                    self.enter(Kind::If, at, *blockty);
                }
                Operator::Else => {
                    if live {
                        self.reach_end(self.frames.len() - 1);
                    }
                    let frame = self.frames.last_mut().unwrap();
                    // Both branches are there: the end is reached by them alone.
                    frame.kind = Kind::Block;
                    self.locals.clone_from(&frame.begin);
                    self.stack.truncate(frame.height);
                    live = true;
                }
                Operator::End => {
                    let last = self.frames.len() - 1;
                    if live {
                        self.reach_end(last);
                    }
                    if self.frames[last].kind == Kind::If {
                        self.locals.clone_from(&self.frames[last].begin);
                        self.stack.truncate(self.frames[last].height);
                        self.reach_end(last);
                    }
                    let frame = self.frames.pop().unwrap();
                    self.stack.truncate(frame.height);
                    live = frame.end.is_some();
                    if let Some((locals, results)) = frame.end {
                        self.locals = locals;
                        self.stack.extend(results);
                    }
                    if self.frames.is_empty() {
                        return;
                    }
                }
                Operator::Br { relative_depth } => {
                    next = self.branch(*relative_depth).unwrap_or(next);
                    live = next != at + 1;
                }
                Operator::BrIf { relative_depth } => {
                    self.refuse_secrets(at, operator, 1);
                    next = self.branch(*relative_depth).unwrap_or(next);
                }
                Operator::BrTable { targets } => {
                    self.refuse_secrets(at, operator, 1);
                    let depths = targets.targets().map(Result::unwrap);
                    live = false;
                    for depth in depths.chain([targets.default()]) {
                        if let Some(again) = self.branch(depth) {
                            (next, live) = (again, true);
                            break;
                        }
                    }
                }
                Operator::Return | Operator::Unreachable => live = false,
                operator => self.compute(at, operator),
            }
            at = next;
        }
    }

    fn enter(&mut self, kind: Kind, start: usize, block: BlockType) {
        let (params, results) = self.module.block_type_arity(block).unwrap();
        assert_eq!(params, 0, "{}: a block with parameters", self.name);
        let mut frame = Frame::new(kind, start, self.stack.len(), results as usize);
        frame.begin.clone_from(&self.locals);
        self.frames.push(frame);
    }

    fn reach_end(&mut self, frame: usize) {
        let frame = &mut self.frames[frame];
        let results = self.stack[self.stack.len() - frame.results..].to_vec();
        match &mut frame.end {
            Some((locals, others)) => {
                join(locals, &self.locals);
                join(others, &results);
            }
            None => frame.end = Some((self.locals.clone(), results)),
        }
    }

    /// Goes to a label. If that is a loop that begins with more secrets now, it must be followed
    /// anew: from the operator that is given.
    fn branch(&mut self, depth: u32) -> Option<usize> {
        let target = self.frames.len() - 1 - depth as usize;
        if self.frames[target].kind != Kind::Loop {
            self.reach_end(target);
            return None;
        }
        let frame = &mut self.frames[target];
        if !join(&mut frame.begin, &self.locals) {
            return None;
        }
        let (start, height) = (frame.start, frame.height);
        self.locals.clone_from(&frame.begin);
        self.frames.truncate(target + 1);
        self.stack.truncate(height);
        Some(start + 1)
    }

    /// Takes so many operands, none of which may be secret.
    fn refuse_secrets(&mut self, at: usize, operator: &Operator<'_>, count: usize) {
        if self.take(count) {
            let what = format!("{operator:?}").chars().take(60).collect();
            self.found.insert(at, what);
        }
    }

    /// Takes so many operands; whether one of them is secret.
    fn take(&mut self, count: usize) -> bool {
        let rest = self.stack.len() - count;
        self.stack
            .drain(rest..)
            .fold(false, |any, secret| any | secret)
    }

    fn compute(&mut self, at: usize, operator: &Operator<'_>) {
        let mnemonic = format!("{operator:?}");
        let mnemonic = mnemonic.split([' ', '{']).next().unwrap();
        match operator {
            Operator::LocalGet { local_index } => {
                self.stack.push(self.locals[*local_index as usize]);
            }
            Operator::LocalSet { local_index } => {
                self.locals[*local_index as usize] = self.take(1);
            }
            Operator::LocalTee { local_index } => {
                self.locals[*local_index as usize] = *self.stack.last().unwrap();
            }
            Operator::Select | Operator::TypedSelect { .. } => {
                self.refuse_secrets(at, operator, 1);
                let either = self.take(2);
                self.stack.push(either);
            }
            Operator::Call { function_index } => {
                let (params, results) = self.module.arity(*function_index);
                self.refuse_secrets(at, operator, params);
                let secret = !self.module.copies(*function_index);
                self.stack.resize(self.stack.len() + results, secret);
            }
            Operator::MemoryCopy { .. } | Operator::MemoryFill { .. } => {
                self.refuse_secrets(at, operator, 3);
            }
            operator => {
                let (takes, gives) = operator
                    .operator_arity(self.module)
                    .unwrap_or_else(|| panic!("{}: {operator:?}", self.name));
                let (takes, gives) = (takes as usize, gives as usize);
                let secret = if mnemonic.contains("Load") {
                    // A lane's other half is beneath the address or above it.
                    if mnemonic.contains("Lane") {
                        self.take(1);
                    }
                    self.refuse_secrets(at, operator, 1);
                    true
                } else if mnemonic.contains("Store") {
                    self.take(1);
                    self.refuse_secrets(at, operator, 1);
                    true
                } else if mnemonic.contains("CallIndirect") {
                    self.found.insert(at, mnemonic.to_owned());
                    self.take(takes);
                    true
                } else if mnemonic.contains("Div") || mnemonic.contains("Rem") {
                    self.refuse_secrets(at, operator, takes);
                    false
                } else {
                    self.take(takes)
                };
                self.stack.resize(self.stack.len() + gives, secret);
            }
        }
    }
}

/// Adds secrets to those that are known. True if that made them more.
fn join(all: &mut [bool], more: &[bool]) -> bool {
    let mut grown = false;
    for (all, &more) in all.iter_mut().zip(more) {
        grown |= more && !*all;
        *all |= more;
    }
    grown
}

impl ModuleArity for Module {
    fn sub_type_at(&self, index: u32) -> Option<&SubType> {
        self.types.get(index as usize)
    }

    fn type_index_of_function(&self, function: u32) -> Option<u32> {
        self.functions.get(function as usize).copied()
    }

    fn tag_type_arity(&self, _: u32) -> Option<(u32, u32)> {
        None
    }

    fn func_type_of_cont_type(&self, _: &ContType) -> Option<&FuncType> {
        None
    }

    fn sub_type_of_ref_type(&self, _: &RefType) -> Option<&SubType> {
        None
    }

    fn control_stack_height(&self) -> u32 {
        0
    }

    fn label_block(&self, _: u32) -> Option<(BlockType, FrameKind)> {
        None
    }

    fn sub_type_arity(&self, kind: &SubType) -> Option<(u32, u32)> {
        match &kind.composite_type.inner {
            CompositeInnerType::Func(function) => {
                let (params, results) = (function.params(), function.results());
                Some((params.len() as u32, results.len() as u32))
            }
            _ => None,
        }
    }
}
