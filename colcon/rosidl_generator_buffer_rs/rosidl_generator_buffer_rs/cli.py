"""The command `rosidl generate -t buffer_rs`: calls the program with what it is given."""

import os
import pathlib
import subprocess

from rosidl_cli.command.generate.extensions import GenerateCommandExtension
from rosidl_cli.command.helpers import legacy_generator_arguments_file

PROGRAM = pathlib.Path('lib', 'rosidl_generator_buffer_rs', 'rosidl_buffer_gen')


def find_program():
    prefixes = os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
    for prefix in filter(None, prefixes):
        program = pathlib.Path(prefix) / PROGRAM
        if program.exists():
            return program
    raise RuntimeError(
        f'no prefix in AMENT_PREFIX_PATH has {PROGRAM}: source the setup file of the workspace in '
        'which rosidl_generator_buffer_rs was built')


class GenerateBufferRs(GenerateCommandExtension):
    """Writes the crate `<package>_buffer`."""

    def generate(self, package_name, interface_files, include_paths, output_path):
        output_path = pathlib.Path(output_path)
        with legacy_generator_arguments_file(
            package_name=package_name,
            interface_files=interface_files,
            include_paths=include_paths,
            templates_path=output_path,
            output_path=output_path,
        ) as arguments:
            command = [find_program(), 'ament', '--generator-arguments-file', arguments]
            if subprocess.run(command).returncode != 0:
                raise RuntimeError(f'no crate was written for {package_name}')
        return [output_path / 'Cargo.toml', *sorted((output_path / 'src').rglob('*.rs'))]
