// What can be said on the command line of an experiment.

/// The options that every experiment has.
public struct Options: Equatable, Sendable {
  /// Ignores the values that an interrupted run stored.
  public var fresh = false

  /// Where outputs go instead of the repository.
  public var out: String?

  /// Computes this cell and those behind it again, and takes the others' values from the last run.
  public var from: String?

  /// Takes only so many items of each cell.
  public var quick: Int?

  public var list = false
  public var help = false

  /// Reads the arguments that follow the program's name.
  public init(_ arguments: some Collection<String>) throws {
    var rest = Array(arguments)[...]
    while let word = rest.popFirst() {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      let name = word.hasPrefix("--") && !parts.isEmpty ? parts[0] : word
      func value(_ what: String) throws -> String {
        guard let value = parts.count == 2 ? parts[1] : rest.popFirst(), !value.isEmpty else {
          throw Options.wrong("\(name) needs \(what)")
        }
        return value
      }
      switch name {
      case "--out": out = try value("a folder")
      case "--from": from = try value("the name of a cell")
      case "--quick":
        let text = try value("a number of items")
        guard let count = Int(text), count > 0 else {
          throw Options.wrong("--quick needs a number of items, not \"\(text)\"")
        }
        quick = count
      case "--fresh" where parts.count == 1: fresh = true
      case "--list" where parts.count == 1: list = true
      case "--help" where parts.count == 1, "-h": help = true
      default: throw Options.wrong("unknown option \"\(word)\"")
      }
    }
  }

  private static func wrong(_ message: String) -> Failure {
    Failure("\(message); --help lists the options", status: 64)
  }

  /// One line for each option.
  static func usage(_ name: String) -> String {
    """
    usage: \(name) [--fresh] [--from CELL] [--out DIR] [--quick N] [--list] [--help]

      --fresh     compute everything, even what an earlier run has stored
      --from CELL compute this cell and those behind it; --list names them
      --out DIR   put figures/ and paper/ below DIR, not in the repository
      --quick N   take only the first N items of each cell; outputs go to build/quick, marked
      --list      print the cells, controls, claims, numbers and outputs, and what is stored
      --help      print this

    QUIET=1 hides the progress; TAP_CELLS=DIR keeps the stored values in DIR.
    """
  }
}
