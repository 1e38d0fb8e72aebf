import Foundation
import Notebook
import Testing

struct FileTests {
  let checkout = Checkout()

  @Test func digestsAreThoseOfSha256sum() throws {
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    #expect(Digest(of: "abc").description == abc)
    #expect(Digest(of: Array("abc".utf8).dropFirst(0)) == Digest(hexadecimal: abc))
    #expect(Digest(of: "").description.hasPrefix("e3b0c44298fc1c14"))
    let million = [UInt8](repeating: UInt8(ascii: "a"), count: 3_000_001)
    try writeAtomically(million, to: checkout.path("a"))
    #expect(try Digest(ofFile: checkout.path("a")) == Digest(of: million))
    #expect(Digest(ofParts: ["ab", "c"]) != Digest(ofParts: ["a", "bc"]))
    #expect(Digest(hexadecimal: abc.dropLast() + "g") == nil)
  }

  @Test func aFileThatCannotBeReadIsNamed() {
    let path = checkout.path("none")
    #expect(throws: Failure("cannot read \(path): No such file or directory")) {
      try Digest(ofFile: path)
    }
    #expect(throws: Failure("cannot read \(checkout.root): Is a directory")) {
      try Digest(ofFile: checkout.root)
    }
  }

  @Test func aFailedWriteLeavesTheOldFileAndNothingElse() {
    checkout.write("out/a.txt", "old a")
    checkout.write("out/b.txt", "old b")
    let error = #expect(throws: Failure.self) {
      try publish([
        Output(checkout.path("out/a.txt"), text: "new a"),
        Output(checkout.path("out/b.txt")) { path in
          try Data("half".utf8).write(to: URL(fileURLWithPath: path))
          throw Failure("the canvas broke")
        },
      ])
    }
    #expect(error?.description == "cannot write \(checkout.path("out/b.txt")): the canvas broke")
    #expect(checkout.files("out") == ["a.txt", "b.txt"])
    #expect(checkout.read("out/a.txt") == "old a")
    #expect(checkout.read("out/b.txt") == "old b")
  }

  @Test func aPathThatCannotBeAFileLeavesNothing() throws {
    checkout.write("file", "")
    let below = #expect(throws: Failure.self) {
      try writeAtomically("x", to: checkout.path("file/x"))
    }
    #expect(below?.description.contains("cannot write \(checkout.path("file/x"))") == true)
    checkout.write("folder/x", "")
    let folder = #expect(throws: Failure.self) {
      try writeAtomically("x", to: checkout.path("folder"))
    }
    #expect(
      folder?.description
        == "cannot write \(checkout.path("folder")): it is a folder; name a file in it")
    #expect(checkout.files(".") == ["Package.swift", "Sources", "file", "folder"])
    #expect(throws: Failure.self) { try publish([Output(checkout.path("y")) { _ in }]) }
  }

  @Test func whatAKilledProcessLeftIsRemovedByTheNextWrite() {
    checkout.write("out/.partial-4194999-a.txt", "half")
    checkout.write("out/.partial-1-a.txt", "of a process that lives")
    checkout.write("out/a.txt", "whole")
    #expect(checkout.files("out") == [".partial-1-a.txt", "a.txt"])
  }

  @Test func synchronizedWritesArriveToo() throws {
    try writeAtomically("x", to: checkout.path("s/t/u"), synchronizing: true)
    #expect(checkout.read("s/t/u") == "x")
  }
}
