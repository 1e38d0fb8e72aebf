// libFuzzer over one reader of files: `fuzz --reader=NAME [libFuzzer's options] CORPUS...`.
//
// `make fuzz` builds it with the compiler's coverage counters and runs every reader for ten minutes.
// libFuzzer itself passes over options that begin with two dashes.

import FuzzReaders
import Glibc

/// libFuzzer's own main loop, from the compiler's library.
@_silgen_name("LLVMFuzzerRunDriver")
func runDriver(
  _ count: UnsafeMutablePointer<Int32>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

let option = CommandLine.arguments.first { $0.hasPrefix("--reader=") }
let found = Reader.all.first { option == "--reader=\($0.name)" }
guard let found else {
  print("--reader=NAME, one of \(Reader.all.map(\.name).joined(separator: ", "))")
  exit(1)
}
/// Global, since a C function takes no context.
let reader = found

var count = CommandLine.argc
var arguments = CommandLine.unsafeArgv
exit(
  runDriver(&count, &arguments) { start, size in
    reader.refusal(of: Array(UnsafeBufferPointer(start: start, count: size)))
    return 0
  })
