// `reproduce parity DIR...`: this package against the reference implementation's golden data.

import ArgumentParser
import Foundation
import Interventions
import Notebook

struct Parity: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compares every activation, gradient and patch with golden data.",
    discussion: """
      A folder of golden data holds config.json, model.safetensors, inputs.json, patches.json, \
      expected.safetensors and three recordings, as Tests/SpeechTests/Fixtures/qwen2-audio does; a \
      folder of log-mel features holds info.json and expected.safetensors. Ends with status 1 where \
      a difference is past its tolerance or a folder cannot be compared; the others are.
      """)

  @Argument(help: "Folders of golden data.") var folders: [String]

  func run() throws {
    var failed = 0
    for folder in folders {
      let isLogMel =
        !FileManager.default.fileExists(atPath: "\(folder)/config.json")
        && FileManager.default.fileExists(atPath: "\(folder)/info.json")
      print("\(folder)")
      let rows: [ParityRow]
      do { rows = isLogMel ? try logMelParity(folder: folder) : try parity(folder: folder) } catch {
        // The other folders are still compared.
        writeToStandardError("Error: \(error)\n")
        failed += 1
        continue
      }
      let width = rows.map(\.name.count).max() ?? 0
      for row in rows {
        let name = row.name.padding(toLength: width, withPad: " ", startingAt: 0)
        print(
          row.passes ? "  ok  " : "  FAIL", name,
          String(format: "%.2e of %.0e", row.difference, row.tolerance))
      }
      let bad = rows.count { !$0.passes }
      failed += bad
      print("  \(rows.count - bad) of \(rows.count) quantities within tolerance")
    }
    if failed > 0 { throw ExitCode(1) }
  }
}
