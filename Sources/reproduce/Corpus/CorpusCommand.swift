import ArgumentParser
import Foundation
import JSON
struct Corpus: ParsableCommand { 
 func run() throws {} }
